#!/usr/bin/env python3
"""A second verifier of osel's bundles, written from docs/bundle-format.md with the standard library alone.

    bundle.py BUNDLE [VERIFIER-KEY [WITNESS-KEY...]]
                                        exit 0 good, 1 bad with the reason on standard error
    bundle.py --vectors VECTORS.json    check the vectors that the document comes with

It must stay independent: no code of osel, no word of its source. It reads the whole file at once, which osel-verify does not.
"""

import base64
import hashlib
import json
import re
import struct
import sys

from ed25519 import is_signed

TIME_MIN, TIME_MAX = -62_135_596_800_000_000, 253_402_300_799_999_999
NUMBER = rb"(0|[1-9][0-9]*)"
TEXT = rb'"((?:[^"\\\x00-\x1f]|\\[n"\\])*)"'
BYTES = rb'"([A-Za-z0-9+/]*={0,2})"'
PART = rb'(?:null|\{"salt":' + BYTES + rb',"content":' + BYTES + rb"\})"
HASHES = rb'\[((?:"[^"]*"(?:,"[^"]*")*)?)\]'
PARTS = rb"\[((?:(?:null|\{[^{}\[\]]*\})(?:,(?:null|\{[^{}\[\]]*\}))*)?)\]"

HEADER = re.compile(rb'\{"osel-bundle":(1,"key":|2,"keys":\[)((?:"[^"\\\x00-\x1f]*",?)+)(\]?),"whole":(true|false),"records":' + NUMBER
                    + rb',"checkpoint":' + TEXT + rb"\}\n")
HANDOVER = re.compile(rb'\{"handover":' + TEXT + rb',"proof":' + HASHES + rb',("seq":.*\}\n)')
SINCE = re.compile(rb'\{"since":' + TEXT + rb',"proof":' + HASHES + rb"\}\n")
RECORD = re.compile(rb'\{"seq":' + NUMBER + rb',"canonical":' + BYTES + rb',"parts":' + PARTS
                    + rb'(,"path":' + HASHES + rb")?\}\n")
CHECKPOINT = re.compile(rb'\{"checkpoint":' + TEXT + rb"\}\n")
END = re.compile(rb'\{"end":"([0-9a-f]{64})"\}\n')


KEYS_MAX = 120
NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX = 1_000_000, 100


class Bad(Exception):
    """What is wrong, and the record that was hit, if one was."""

    def __init__(self, why, record=None):
        super().__init__(why)
        self.why, self.record = why, record


class BadRecord(Bad):
    """The record itself is wrong, whatever is thought of the two before it."""


# ---- the characters of lines

def text(escaped):
    try:
        decoded = escaped.decode()
    except UnicodeDecodeError:
        raise Bad("text that is none") from None
    return re.sub(r'\\([n"\\])', lambda match: "\n" if match[1] == "n" else match[1], decoded)


def unbase64(encoded):
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise Bad("base64 that is none") from None
    if base64.b64encode(decoded) != encoded:
        raise Bad("base64 that is not in its one form")
    return decoded


def number(digits):
    if int(digits) >= 1 << 64:
        raise Bad("a number that is too large")
    return int(digits)


def hashes(listed):
    decoded = [unbase64(item[1:-1]) for item in listed.split(b",")] if listed else []
    if any(len(item) != 32 for item in decoded):
        raise Bad("a hash that is none")
    return decoded


# ---- the tree

def leaf_hash(data):
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves):
    """A level at a time: pairs are joined, one that is left over goes up as it is."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    while len(leaves) > 1:
        joined = [node_hash(*leaves[at:at + 2]) for at in range(0, len(leaves) - 1, 2)]
        leaves = joined + leaves[len(joined) * 2:]
    return leaves[0]


def is_included(leaf, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def is_continued(old, old_root, new, new_root, path):
    """RFC 9162, section 2.1.4.2; the empty tree is the beginning of every one."""
    if old == 0 or old == new:
        return not path and old_root == (new_root if old == new else tree_root([]))
    if old > new:
        return False
    path = ([old_root] if old & old - 1 == 0 else []) + path
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, node)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


# ---- keys, notes, checkpoints

def read_note(note):
    """What is signed, and name and signature of each line behind it."""
    if len(note.encode()) > NOTE_BYTES_MAX:
        raise Bad("a note that is too long")
    signed, empty, signatures = note.rpartition("\n\n")
    if not empty or not signatures.endswith("\n"):
        raise Bad("a note that is none")
    if signatures.count("\n") > NOTE_SIGNATURES_MAX:
        raise Bad("a note with too many signatures")
    lines = []
    for line in signatures[:-1].split("\n"):
        words = line.split(" ")
        if len(words) != 3 or words[0] != "—":
            raise Bad("a signature that is none")
        lines.append((words[1], unbase64(words[2].encode())))
        if len(lines[-1][1]) < 5:
            raise Bad("a signature that is none")
    return signed + "\n", lines


class Key:
    """A key that signs logs, or by another first byte a witness'."""

    def __init__(self, written, kind=1):
        self.written = written
        try:
            self.name, id_, encoded = written.split("+", 2)
            key = unbase64(encoded.encode())
        except ValueError:
            raise Bad("a key that is none") from None
        self.public = key[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + key).digest()[:4]
        if len(key) != 33 or key[0] != kind or self.id.hex() != id_ or not self.name:
            raise Bad("a key that is none")

    def open(self, note):
        """Size and root of a checkpoint that the key's log signed."""
        signed, signatures = read_note(note)
        is_by_log = False
        for name, signature in signatures:
            if (name, signature[:4]) == (self.name, self.id):
                if not is_signed(self.public, signed.encode(), signature[4:]):
                    raise Bad("a wrong signature")
                is_by_log = True
        lines = signed.split("\n")
        if not is_by_log or len(lines) < 4 or "" in lines[:-1] or lines[0] != self.name:
            raise Bad("a checkpoint that the log did not sign")
        if not re.fullmatch("0|[1-9][0-9]*", lines[1]) or int(lines[1]) >= 1 << 63:
            raise Bad("a checkpoint without size")
        root = unbase64(lines[2].encode())
        if len(root) != 32 or lines[1] == "0" and root != tree_root([]):
            raise Bad("a checkpoint without root")
        return int(lines[1]), root

    def seen_at(self, note):
        """When a witness says to have seen a checkpoint; None where it does not."""
        signed, signatures = read_note(note)
        times = []
        for name, signature in signatures:
            if (name, signature[:4]) == (self.name, self.id):
                seconds = int.from_bytes(signature[4:12], "big")
                cosigned = f"cosignature/v1\ntime {seconds}\n{signed}".encode()
                if seconds >> 63 or not is_signed(self.public, cosigned, signature[12:]):
                    raise Bad("a wrong cosignature")
                times.append(seconds)
        return max(times, default=None)


# ---- records, after docs/trail-format.md

def read_canonical(data):
    """Number, predecessor, times, and commitments; None for bytes that are no record."""
    if len(data) > 65_535 or len(data) < 74 or data[:5] != b"osel\x01":
        return None
    seq, previous, time, recorded_at, as_of, kind, count = struct.unpack(">Q32sqqqBI", data[5:74])
    if seq == 0 or not 1 <= kind <= 10 or not all(TIME_MIN <= at <= TIME_MAX for at in (time, recorded_at, as_of)):
        return None
    classes, commitments, at = [], [], 74
    for _ in range(count):
        if len(data) < at + 35:
            return None
        code, length = struct.unpack(">BH", data[at:at + 3])
        at += 3
        if not 1 <= code <= 4 or 255 < length != 65_535:
            return None
        if length != 65_535:
            try:
                data[at:at + length].decode()
            except UnicodeDecodeError:
                return None
            at += length
        classes.append(code)
        commitments.append(data[at:at + 32])
        at += 32
        if at > len(data):
            return None
    if at != len(data):
        return None
    return {"seq": seq, "previous": previous, "earlier": min(time, recorded_at), "as_of": as_of, "kind": kind,
            "classes": classes, "commitments": commitments}


def read_record(line, whole):
    match = RECORD.fullmatch(line)
    if match is None or (match[4] is None) != whole:
        raise Bad("a record that is not in its form")
    parts = []
    for part in re.finditer(rb"null|\{[^}]*\}", match[3]):
        found = re.fullmatch(PART, part[0])
        if found is None:
            raise Bad("a part that is not in its form")
        parts.append(None if part[0] == b"null" else (unbase64(found[1]), unbase64(found[2])))
    data = unbase64(match[2])
    return {"seq": number(match[1]), "data": data, "leaf": leaf_hash(data), "header": read_canonical(data),
            "parts": parts, "path": [] if whole else hashes(match[5])}


def check_parts(record):
    commitments, parts = record["header"]["commitments"], record["parts"]
    if len(commitments) != len(parts):
        raise BadRecord("other parts than it was made with", record["seq"])
    for commitment, part in zip(commitments, parts):
        if part is None:
            continue
        salt, content = part
        if len(salt) != 16 or hashlib.sha256(salt + content).digest() != commitment:
            raise BadRecord("a part that it was not made with", record["seq"])
    return parts.count(None)


# ---- bundles

def kind(line, whole):
    """What a line is, though its beginning may be damaged."""
    beginnings = {b'{"seq":': "record", b'{"checkpoint":': "checkpoint", b'{"since":': "since", b'{"end":': "end"}
    for beginning, what in beginnings.items():
        if line.startswith(beginning) or 2 < len(line) - 1 < len(beginning) and beginning.startswith(line[:-1]):
            return what
    start = line[:64]
    if b"canonical" in start:
        return "record"
    if b"\\n" in start:
        return "checkpoint" if whole else "since"
    return "end" if b"end" in start else "record"


def legible_seq(line):
    before = re.match(rb'\{"seq":' + NUMBER + rb'(,"canonical":")?', line)
    if before and before[2]:
        return int(before[1])
    at = line[:64].rfind(b'":"')
    try:
        start = base64.b64decode(line[at + 3:at + 23], validate=True) if at >= 0 else b""
    except ValueError:
        start = b""
    if len(start) == 15 and start[:5] == b"osel\x01":
        return struct.unpack(">Q", start[5:13])[0]
    return int(before[1]) if before else None


def told_keys(record):
    """The keys that a record of kind `system` names, the earlier first; a part that is missing names none."""
    bodies = [part for code, part in zip(record["header"]["classes"], record["parts"]) if code == 1]
    try:
        detail = json.loads(bodies[-1][1])["detail"]
        told = detail["log"], detail["previous"], detail["next"]
    except (IndexError, KeyError, TypeError, ValueError):
        raise Bad("a record that tells of no key") from None
    if record["header"]["kind"] != 10 or told[0] != "key":
        raise Bad("a record that tells of no key")
    return told[1:]


class Checker:
    def __init__(self, key, witnesses=()):
        self.given = key
        # And when each of them has cosigned the checkpoint of the first line.
        self.witnesses, self.cosigned = [Key(witness, 4) for witness in witnesses], []
        self.found = self.confirmed = self.missing = 0
        self.leaves, self.last, self.since = [], None, None
        # Of two records that do not fit: which is bad if the next follows the later one, if it does not, and if there is none.
        self.undecided = None
        self.promised = self.whole = None
        # The keys, the sizes up to which all but the last signed, and which of them is the first that is trusted.
        self.keys, self.handed, self.trusted = [], [], 0
        self.between = 0

    def expected(self):
        return self.found + 1 if self.whole and self.found < self.promised else None

    def check(self, data):
        lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", data)
        digest = hashlib.sha256()
        try:
            for place, line in enumerate(lines):
                if not line.endswith(b"\n"):
                    raise Bad("it is cut", self.expected())
                if place == 0:
                    self.header(line)
                elif len(self.handed) + 1 < len(self.keys):
                    self.handover(line)
                elif not line.startswith(b'{"end":') and kind(line, self.whole) != "end":
                    self.body(line, place)
                else:
                    match = END.fullmatch(line)
                    if match is None:
                        raise Bad("a last line that is none")
                    if self.found != self.promised:
                        raise Bad("records are missing", self.expected())
                    if digest.hexdigest().encode() != match[1]:
                        raise Bad("another hash in the last line")
                    if place + 1 < len(lines):
                        raise Bad("something follows the last line")
                    return
                digest.update(line)
            raise Bad("it is cut", self.expected())
        except Bad as bad:
            # Two records that do not fit come before whatever else is wrong.
            if self.undecided and not isinstance(bad, BadRecord):
                bad.record = self.undecided[2]
            raise

    def header(self, line):
        match = HEADER.fullmatch(line)
        if match is None:
            raise Bad("a first line that is none")
        written = re.findall(rb'"[^"]*"', match[2])
        has_one_form = b",".join(written) == match[2] and (match[3] == b"]") == match[1].startswith(b"2")
        if not has_one_form or (len(written) == 1) != match[1].startswith(b"1") or len(written) > KEYS_MAX:
            raise Bad("a first line that is none")
        self.keys = [Key(text(key[1:-1])) for key in written]
        if len({key.name for key in self.keys}) != 1:
            raise Bad("keys of several logs")
        if self.given is not None:
            if self.given not in [key.written for key in self.keys]:
                raise Bad("another key")
            self.trusted = [key.written for key in self.keys].index(self.given)
        self.whole, self.promised = match[4] == b"true", number(match[5])
        self.size, self.root = self.keys[-1].open(text(match[6]))
        self.cosigned = [witness.seen_at(text(match[6])) for witness in self.witnesses]
        if self.promised > self.size or self.whole and self.promised != self.size:
            raise Bad("a first line that contradicts itself")

    def handover(self, line):
        """The next key, by the word of the one before."""
        match = HANDOVER.fullmatch(line)
        if match is None:
            raise Bad("a line that hands no key on")
        turn = len(self.handed)
        size, root = self.keys[turn].open(text(match[1]))
        if self.handed and self.handed[-1] >= size or not is_continued(size, root, self.size, self.root, hashes(match[2])):
            raise Bad("a key that is handed on by a checkpoint of another log")
        record = read_record(b"{" + match[3], False)
        header = record["header"]
        if not is_included(record["leaf"], record["seq"] - 1, size, record["path"], root) or header is None:
            raise Bad("a key that is handed on by a record that is not there")
        if header["seq"] != record["seq"] or header["as_of"] < header["earlier"]:
            raise Bad("a key that is handed on by a record that is none")
        try:
            check_parts(record)
        except Bad as bad:
            raise Bad(bad.why) from None
        if told_keys(record) != (self.keys[turn].written, self.keys[turn + 1].written):
            raise Bad("a record that names other keys")
        self.handed.append(size)

    def open(self, note):
        """Size and root of a checkpoint by the key whose turn it was at its size, and whether that key is trusted by itself."""
        lines = note.split("\n")
        size = int(lines[1]) if len(lines) > 2 and re.fullmatch("[0-9]{1,19}", lines[1]) else 0
        turn = sum(handed < size for handed in self.handed)
        return *self.keys[turn].open(note), turn >= self.trusted

    def body(self, line, place):
        what = kind(line, self.whole)
        if what == "since":
            match = SINCE.fullmatch(line)
            if match is None or self.whole or place != len(self.keys):
                raise Bad("an earlier checkpoint that is none")
            *self.since, _ = self.open(text(match[1]))
            if not is_continued(*self.since, self.size, self.root, hashes(match[2])):
                raise Bad("an earlier checkpoint of another log")
        elif what == "checkpoint":
            match = CHECKPOINT.fullmatch(line)
            if match is None:
                raise Bad("a checkpoint that is none")
            size, root, is_trusted = self.open(text(match[1]))
            if not self.whole or size != self.found or not self.between < size < self.size:
                raise Bad("a checkpoint in a wrong place", self.expected() if size > self.found else None)
            self.between = size
            if is_trusted:
                self.confirm(root)
            elif not self.undecided and tree_root(self.leaves) != root:
                raise Bad("not what the checkpoint stands for", self.found)
        else:
            try:
                record = read_record(line, self.whole)
            except Bad as bad:
                raise Bad(bad.why, self.expected() if self.whole else legible_seq(line)) from None
            (self.one_of_all if self.whole else self.one_of_some)(record)

    def one_of_some(self, record):
        seq, header = record["seq"], record["header"]
        if not is_included(record["leaf"], seq - 1, self.size, record["path"], self.root):
            if header and is_included(record["leaf"], header["seq"] - 1, self.size, record["path"], self.root):
                raise Bad("a line with another number", header["seq"])
            raise Bad("not in the log", seq)
        if self.last and seq <= self.last["seq"]:
            raise Bad("out of order", seq)
        if header is None or header["seq"] != seq:
            raise Bad("no record of that number", seq)
        before = None
        if self.last and self.last["seq"] + 1 == seq:
            before = self.last
        elif seq == 1:
            before = {"leaf": bytes(32), "header": {"as_of": TIME_MIN}}
        if before and before["leaf"] != header["previous"]:
            raise Bad("not made to follow the one before", seq)
        if header["as_of"] != max(before["header"]["as_of"] if before else header["as_of"], header["earlier"]):
            raise Bad("another `as_of`", seq)
        self.missing += check_parts(record)
        self.count(record)
        self.confirmed = self.found

    def one_of_all(self, record):
        seq, header = record["seq"], record["header"]
        place = self.found + 1
        if header and header["seq"] == self.expected() != seq:
            raise Bad("a line with another number", place)
        if seq > place and not self.undecided:
            raise Bad("it is missing", place)
        if seq < place:
            raise BadRecord("out of order", seq)
        if self.undecided:
            follows, does_not, unknown = self.undecided
            if header is None or seq > place:
                raise BadRecord("altered", unknown)
            raise BadRecord("altered", follows if header["previous"] == self.last["leaf"] else does_not)
        # Two with one number, made to follow the same one.
        is_second = (header and header["seq"] == place - 1 and self.confirmed < self.found
                     and header["previous"] == self.last["header"]["previous"] and record["leaf"] != self.last["leaf"])
        if not is_second and (header is None or header["seq"] != seq):
            raise Bad("no record of that number", seq)
        before = self.last or {"leaf": bytes(32), "header": {"as_of": TIME_MIN}}
        if is_second:
            self.undecided = place - 1, place, place
        elif before["leaf"] != header["previous"]:
            # Nothing is wrong with a record that is confirmed.
            if self.confirmed == self.found:
                raise Bad("not made to follow the one before", seq)
            self.undecided = place - 1, place, place - 1
        elif header["as_of"] != max(before["header"]["as_of"], header["earlier"]):
            raise Bad("another `as_of`", seq)
        self.missing += check_parts(record)
        self.count(record)
        self.leaves.append(record["leaf"])
        if self.found == self.promised:
            self.confirm(self.root)

    def count(self, record):
        if self.found == self.promised:
            raise Bad("more records than promised")
        self.found += 1
        self.last = record

    def confirm(self, root):
        is_right = tree_root(self.leaves) == root
        if self.undecided:
            # Put the record that the last one names before it: if that is the tree, the last one is right.
            other = self.leaves[:-2] + [self.last["header"]["previous"], self.last["leaf"]]
            last_is_right = not is_right and tree_root(other) == root
            raise BadRecord("altered", self.undecided[0 if last_is_right else 1])
        if not is_right:
            raise Bad("not what the checkpoint stands for", self.found)
        self.confirmed = self.found


def judged(data, key=None, *witnesses):
    """Whether it is good, the bad record, and how many are confirmed."""
    checker = Checker(key, witnesses)
    try:
        checker.check(data)
    except Bad as bad:
        return False, bad.record, checker.confirmed, bad.why
    why = f"{checker.found} records, {checker.missing} parts are missing"
    return True, None, checker.found, why + "".join(f", cosigned at {seconds}" for seconds in checker.cosigned)


def check_vectors(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    key, other = vectors["keys"]
    bundles = {bundle["name"]: bundle for bundle in vectors["bundles"]}
    for name, bundle in bundles.items():
        data = bundle["text"].encode()
        for given in (None, key):
            assert judged(data, given)[:3] == (True, None, bundle["records"]), f"{name}: {judged(data, given)}"
        assert not judged(data, other)[0], f"{name} is good by another key"
        checker = Checker(key, vectors["witnesses"])
        checker.check(data)
        assert checker.cosigned == bundle["cosigned"], f"{name}: {checker.cosigned}"
    for vector in vectors["tampered"]:
        data = bundles[vector["of"]]["text"].encode()
        at, end = vector["at"], vector["at"] + vector["remove"]
        found = judged(data[:at] + vector["insert"].encode() + data[end:])
        assert found[:3] == (False, vector["record"], vector["confirmed"]), f"{vector}: {found}"
    print(f"{len(bundles)} bundles and {len(vectors['tampered'])} tampered ones as expected")


def main(arguments):
    if arguments[0] == "--vectors":
        check_vectors(arguments[1])
        return 0
    with open(arguments[0], "rb") as file:
        data = file.read()
    is_good, record, confirmed, why = judged(data, *arguments[1:])
    if is_good:
        print(f"good: {why}")
        return 0
    place = "" if record is None else f"record {record}: "
    print(f"bad: {place}{why}; {confirmed} records are confirmed", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
