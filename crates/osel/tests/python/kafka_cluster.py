"""A cluster of Kafka for tests: the mock cluster that librdkafka brings, read back by librdkafka's own consumer.

Called as `kafka_cluster.py BROKERS`; the first line of standard output names the brokers. Each line of standard input is an order, a JSON
object, and each further line of standard output its answer. What confluent-kafka does not show of the mock cluster is asked of the same
library by its C interface. The mock cluster knows neither TLS nor logins: a `door` before its one broker does.
"""

import base64
import ctypes
import glob
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import sys
import threading

import confluent_kafka

RD_KAFKA_PRODUCER = 0
SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 17, 18, 36
UNSUPPORTED_SASL_MECHANISM, UNSUPPORTED_VERSION, SASL_AUTHENTICATION_FAILED = 33, 35, 58
# What the door knows and what the broker behind it does, with the versions of each, for clients that ask.
VERSIONS = [(0, 3, 8), (3, 0, 4), (SASL_HANDSHAKE, 0, 1), (API_VERSIONS, 0, 0), (SASL_AUTHENTICATE, 0, 0)]
ROUNDS = 4096


def library():
    folder = os.path.join(os.path.dirname(os.path.dirname(confluent_kafka.__file__)), "confluent_kafka.libs")
    lib = ctypes.CDLL(glob.glob(os.path.join(folder, "librdkafka-*.so*"))[0])
    for name in ["rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"]:
        getattr(lib, name).restype = ctypes.c_void_p
    lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return lib


class Cluster:
    def __init__(self, brokers):
        self.lib = library()
        words = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self.lib.rd_kafka_conf_new())
        handle = self.lib.rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, ctypes.c_size_t(len(words)))
        assert handle, words.value
        self.handle = ctypes.c_void_p(handle)
        self.cluster = ctypes.c_void_p(self.lib.rd_kafka_mock_cluster_new(self.handle, brokers))
        self.brokers = self.lib.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()

    def make_topic(self, name, partitions):
        return self.lib.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, 1)

    def set_topic_error(self, name, code):
        self.lib.rd_kafka_mock_topic_set_error(self.cluster, name.encode(), code)
        return 0

    def push_errors(self, api, codes):
        array = (ctypes.c_int * len(codes))(*codes)
        self.lib.rd_kafka_mock_push_request_errors_array(
            self.cluster, ctypes.c_int16(api), ctypes.c_size_t(len(codes)), array
        )
        return 0

    def set_leader(self, topic, partition, broker):
        return self.lib.rd_kafka_mock_partition_set_leader(self.cluster, topic.encode(), partition, broker)

    def set_down(self, broker):
        return self.lib.rd_kafka_mock_broker_set_down(self.cluster, broker)

    def set_up(self, broker):
        return self.lib.rd_kafka_mock_broker_set_up(self.cluster, broker)

    def open_door(self, certificate, key, user, password):
        """Has the broker be reached over TLS and with a login only, as far as it says itself where it is."""
        door = Door(self.brokers, certificate, key, user, password)
        self.say_where(door.port)
        return door.port

    def read_past_door(self, topic, partitions):
        self.say_where(int(self.brokers.split(":")[1]))
        return self.read(topic, partitions)

    def say_where(self, port):
        self.lib.rd_kafka_mock_broker_set_host_port(self.cluster, 1, b"127.0.0.1", port)

    def read(self, topic, partitions):
        """All records of a topic, by partition and offset."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.brokers, "group.id": "reader", "check.crcs": True, "enable.auto.commit": False}
        )
        records = []
        for partition in range(partitions):
            place = confluent_kafka.TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=30)
            consumer.assign([place])
            while end and (not records or records[-1]["place"] != [partition, end - 1]):
                message = consumer.poll(30)
                assert message is not None and not message.error(), message and message.error()
                records.append(
                    {
                        "place": [partition, message.offset()],
                        "key": message.key() and message.key().decode(),
                        "value": message.value().decode(),
                        "headers": {name: value.decode() for name, value in message.headers()},
                        "time": message.timestamp()[1],
                    }
                )
        consumer.close()
        return records


class Door:
    """TLS and SASL before a broker that has neither."""

    def __init__(self, broker, certificate, key, user, password):
        host, port = broker.split(":")
        self.broker, self.user, self.password = (host, int(port)), user, password
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            with self.context.wrap_socket(client, server_side=True) as client:
                if self.log_in(client):
                    with socket.create_connection(self.broker) as broker:
                        while request := frame(client):
                            broker.sendall(struct.pack(">i", len(request)) + request)
                            answer(client, frame(broker))
        except (OSError, EOFError):
            pass

    def log_in(self, client):
        """Whether the other side has logged in; one that asks for anything else before is left without a word, as Kafka does."""
        key, version, correlation, body = request(client)
        while key == API_VERSIONS:
            known = b"".join(struct.pack(">hhh", *api) for api in VERSIONS)
            error = UNSUPPORTED_VERSION if version else 0
            answer(client, correlation + struct.pack(">hi", error, len(VERSIONS)) + known)
            key, version, correlation, body = request(client)
        if key != SASL_HANDSHAKE:
            return False
        mechanism = body[2:].decode()
        digest = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}.get(mechanism)
        known = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
        error = 0 if mechanism in known else UNSUPPORTED_SASL_MECHANISM
        names = b"".join(text(name) for name in known)
        answer(client, correlation + struct.pack(">hi", error, len(known)) + names)
        if error:
            return False
        correlation, word = self.word(client)
        if digest is None:
            is_known = word == f"\0{self.user}\0{self.password}".encode()
            return self.end(client, correlation, is_known, b"")
        return self.scram(client, correlation, word.decode(), digest)

    def scram(self, client, correlation, first, digest):
        bare = first.removeprefix("n,,")
        user, nonce = bare.split(",")
        nonce, salt = nonce.removeprefix("r=") + "server", os.urandom(16)
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={ROUNDS}"
        self.say(client, correlation, 0, "", challenge.encode())
        correlation, last = self.word(client)
        without, proof = last.decode().rsplit(",p=", 1)
        signed = f"{bare},{challenge},{without}".encode()
        salted = hashlib.pbkdf2_hmac(digest, self.password.encode(), salt, ROUNDS)
        client_key = hmac.digest(salted, b"Client Key", digest)
        signature = hmac.digest(hashlib.new(digest, client_key).digest(), signed, digest)
        wanted = bytes(a ^ b for a, b in zip(client_key, signature))
        written = self.user.replace("=", "=3D").replace(",", "=2C")
        is_known = user == f"n={written}" and without == f"c=biws,r={nonce}" and base64.b64decode(proof) == wanted
        ours = hmac.digest(hmac.digest(salted, b"Server Key", digest), signed, digest)
        return self.end(client, correlation, is_known, b"v=" + base64.b64encode(ours))

    def end(self, client, correlation, is_known, word):
        error, words = (0, "") if is_known else (SASL_AUTHENTICATION_FAILED, "Authentication failed")
        self.say(client, correlation, error, words, word if is_known else b"")
        return is_known

    def word(self, client):
        key, _, correlation, body = request(client)
        assert key == SASL_AUTHENTICATE
        return correlation, body[4:]

    def say(self, client, correlation, error, words, word):
        answer(client, correlation + struct.pack(">h", error) + text(words) + struct.pack(">i", len(word)) + word)


def exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def frame(connection):
    return exactly(connection, struct.unpack(">i", exactly(connection, 4))[0])


def request(connection):
    """A request's key and version, its correlation and what stands behind its head."""
    data = frame(connection)
    key, version, correlation, length = struct.unpack(">hh4sh", data[:10])
    return key, version, correlation, data[10 + length :]


def answer(connection, data):
    connection.sendall(struct.pack(">i", len(data)) + data)


def text(words):
    return struct.pack(">h", len(words)) + words.encode()


def main():
    cluster = Cluster(int(sys.argv[1]))
    print(json.dumps(cluster.brokers), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(cluster, order.pop("do"))(**order)), flush=True)


main()
