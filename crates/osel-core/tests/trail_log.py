#!/usr/bin/env python3
"""A second reader of osel's log (docs/trail-format.md, "The log"), written from that page with the standard library alone.

    trail_log.py VECTORS.json            check everything the page says of the log against the vectors
    trail_log.py --write VECTORS.json    work out the log's texts from its records and seeds

It must stay independent: no code of osel, no word of its source. Ed25519 is RFC 8032's, in its plainest form: slow, and not for
secrets that matter.
"""

import base64
import hashlib
import json
import struct
import sys

from trail_format import inclusion_path, leaf_hash, node_hash, tree_root

# Curve, base point and order of RFC 8032.
P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493
LOG, COSIGNATURE = 1, 4
# Which tiles and bundles the vectors name.
PATHS = [("0", 0, 256), ("0", 999, 256), ("1", 1000, 1), ("entries", 1_234_067, 44), ("2", 1_234_067, 256)]


class Bad(Exception):
    """A text that is not what it should be, or is not believed."""


def add(one, two):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = one, two
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def point_of(data):
    sign, y = data[31] >> 7, int.from_bytes(data, "little") & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise Bad("no point of the curve")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def bytes_of(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def digest_number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def expand(seed):
    digest = hashlib.sha512(seed).digest()
    number = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return number, digest[32:]


def public_of(seed):
    return bytes_of(times(expand(seed)[0], BASE))


def sign(seed, message):
    number, prefix = expand(seed)
    nonce = digest_number(prefix, message) % ORDER
    first = bytes_of(times(nonce, BASE))
    challenge = digest_number(first, public_of(seed), message)
    return first + ((nonce + challenge * number) % ORDER).to_bytes(32, "little")


def signed(public, message, signature):
    if len(signature) != 64:
        return False
    first, last = signature[:32], int.from_bytes(signature[32:], "little")
    challenge = digest_number(first, public, message) % ORDER
    try:
        right = add(point_of(first), times(challenge, point_of(public)))
    except Bad:
        return False
    return last < ORDER and bytes_of(times(last, BASE)) == bytes_of(right)


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad("no base64") from None
    if b64(data) != text:
        raise Bad("base64 in another form")
    return data


def number(text):
    if not text.isascii() or not text.isdigit() or str(int(text)) != text or int(text) >= 2**63:
        raise Bad("no number")
    return int(text)


def hash_of(text):
    data = unb64(text)
    if len(data) != 32:
        raise Bad("no hash")
    return data


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def key_text(name, identity, kind, key):
    return f"{name}+{identity.hex()}+{b64(bytes([kind]) + key)}"


def read_key(text):
    name, _, rest = text.partition("+")
    identity, _, key = rest.partition("+")
    key = unb64(key)
    kind, public = key[0], key[1:]
    if kind not in (LOG, COSIGNATURE) or len(public) != 32 or key_id(name, kind, public).hex() != identity:
        raise Bad("no key")
    return name, bytes.fromhex(identity), kind, public


def line(name, identity, signature):
    return f"— {name} {b64(identity + signature)}\n"


def cosigned_text(text, seconds):
    return f"cosignature/v1\ntime {seconds}\n{text}"


def read_note(note):
    """Text and signature lines."""
    if any(ord(letter) < 0x20 and letter != "\n" for letter in note):
        raise Bad("control characters")
    end = note.rfind("\n\n")
    if end < 0 or not note.endswith("\n") or end + 2 == len(note):
        raise Bad("no note")
    lines = []
    for signature in note[end + 2:-1].split("\n"):
        words = signature.split(" ")
        if len(words) != 3 or words[0] != "—" or not words[1] or "+" in words[1] or len(words[1].split()) != 1:
            raise Bad("no signature")
        data = unb64(words[2])
        if len(data) <= 4:
            raise Bad("no signature")
        lines.append((words[1], data[:4], data[4:]))
    return note[:end + 1], lines


def open_checkpoint(note, keys):
    """Origin, size and root of a checkpoint, and when each witness saw it. Keys are verifier keys."""
    text, lines = read_note(note)
    known = {read_key(key)[:2]: read_key(key)[2:] for key in keys}
    times_seen, by = {}, set()
    for name, identity, signature in lines:
        if (name, identity) not in known:
            continue
        kind, public = known[name, identity]
        message = text
        if kind == COSIGNATURE:
            (seconds,) = struct.unpack(">Q", signature[:8])
            message, signature = cosigned_text(text, seconds), signature[8:]
            times_seen[name] = seconds
        if not signed(public, message.encode(), signature):
            raise Bad("a wrong signature")
        by.add((name, kind))
    words = text.split("\n")
    if len(words) < 4 or "" in words[:-1]:
        raise Bad("no checkpoint")
    origin, size, root = words[0], number(words[1]), hash_of(words[2])
    if (origin, LOG) not in by:
        raise Bad("not signed by its log")
    return origin, size, root, times_seen


def included(leaf, index, size, path, root):
    """The steps of the page's section on proofs."""
    at, last, node = index, size - 1, leaf
    if at > last:
        return False
    for sibling in path:
        if last == 0:
            return False
        if at % 2 or at == last:
            node = node_hash(sibling, node)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            node = node_hash(node, sibling)
        at, last = at // 2, last // 2
    return last == 0 and node == root


def check_proof(text, leaf, keys):
    head, empty, note = text.partition("\n\n")
    lines = head.split("\n")
    if not empty or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Bad("no proof")
    if lines and lines[0].startswith("extra "):
        unb64(lines.pop(0)[6:])
    if not lines or not lines[0].startswith("index "):
        raise Bad("no index")
    index = number(lines.pop(0)[6:])
    _, size, root, _ = open_checkpoint(note, keys)
    if not included(leaf, index, size, [hash_of(text) for text in lines], root):
        raise Bad("not in the log")
    return index, size


def path_of(folder, index, width):
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{folder}/{'/'.join(groups)}" + (f".p/{width}" if width < 256 else "")


def fill(vectors):
    """Works out the log's texts."""
    log = vectors["log"]
    seed, witness_seed = bytes.fromhex(log["seed"]), bytes.fromhex(log["witness_seed"])
    public, witness = public_of(seed), public_of(witness_seed)
    name, witness_name = log["name"], log["witness_name"]
    identity, witness_identity = key_id(name, LOG, public), key_id(witness_name, COSIGNATURE, witness)
    log["key"] = key_text(name, identity, LOG, public)
    log["private_key"] = "PRIVATE+KEY+" + key_text(name, identity, LOG, seed)
    log["witness_key"] = key_text(witness_name, witness_identity, COSIGNATURE, witness)
    canonical = [bytes.fromhex(row["canonical"]) for row in vectors["records"]]
    leaves = [leaf_hash(data) for data in canonical]
    log["checkpoints"] = []
    for size in log["sizes"]:
        text = f"{name}\n{size}\n{b64(tree_root(leaves[:size]))}\n"
        note = text + "\n" + line(name, identity, sign(seed, text.encode()))
        log["checkpoints"].append(note)
    # The last one is seen by the witness.
    text, seconds = log["checkpoints"][-1].partition("\n\n")[0] + "\n", log["witness_seconds"]
    signature = struct.pack(">Q", seconds) + sign(witness_seed, cosigned_text(text, seconds).encode())
    log["checkpoints"][-1] += line(witness_name, witness_identity, signature)
    index, size = log["proved"], len(leaves)
    path = "".join(b64(node) + "\n" for node in inclusion_path(index, leaves))
    log["proof"] = f"c2sp.org/tlog-proof@v1\nindex {index}\n{path}\n{log['checkpoints'][-1]}"
    entries = b"".join(struct.pack(">H", len(data)) + data for data in canonical)
    log["files"] = {
        path_of("0", 0, size): b"".join(leaves).hex(),
        path_of("entries", 0, size): entries.hex(),
    }
    log["paths"] = [
        {"folder": folder, "index": index, "width": width, "path": path_of(folder, index, width)}
        for folder, index, width in PATHS
    ]


def refused(text, action):
    try:
        action(text)
    except (Bad, ValueError, struct.error):
        return
    raise AssertionError(f"taken although it was changed: {text!r}")


def check(vectors):
    again = json.loads(json.dumps(vectors))
    fill(again)
    assert again == vectors, "the log's vectors are not what the page makes of its records and seeds"

    log = vectors["log"]
    leaves = [bytes.fromhex(row["hash"]) for row in vectors["records"]]
    keys = [log["key"], log["witness_key"]]
    for size, note in zip(log["sizes"], log["checkpoints"]):
        assert open_checkpoint(note, keys)[:3] == (log["name"], size, tree_root(leaves[:size]))
    last, leaf = log["checkpoints"][-1], leaves[log["proved"]]
    assert open_checkpoint(last, keys)[3] == {log["witness_name"]: log["witness_seconds"]}
    assert check_proof(log["proof"], leaf, keys) == (log["proved"], len(leaves))
    changes = 0
    for text, action in (
        (last, lambda text: open_checkpoint(text, keys)),
        (log["proof"], lambda text: check_proof(text, leaf, keys)),
    ):
        # All up to the end of the log's own signature; changes of a witness' name only make it unknown.
        for at in range(0, text.index(f"— {log['witness_name']}"), 5):
            refused(text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1:], action)
            changes += 1
    entries, tile = (bytes.fromhex(log["files"][path_of(folder, 0, len(leaves))]) for folder in ("entries", "0"))
    hashes = []
    while entries:
        end = struct.unpack(">H", entries[:2])[0] + 2
        hashes.append(leaf_hash(entries[2:end]))
        entries = entries[end:]
    assert b"".join(hashes) == tile
    print(f"{len(log['checkpoints'])} checkpoints and a proof as expected, {changes} changes found")


def main(arguments):
    write_back = arguments[:1] == ["--write"]
    (path,) = arguments[1:] if write_back else arguments
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    if write_back:
        fill(vectors)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(vectors, file, indent=2)
            file.write("\n")
    check(vectors)


if __name__ == "__main__":
    main(sys.argv[1:])
