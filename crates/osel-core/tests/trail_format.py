#!/usr/bin/env python3
"""A second verifier of osel's trail, written from docs/trail-format.md with the standard library alone.

    trail_format.py VECTORS.json            check everything the document says against the vectors
    trail_format.py --write VECTORS.json    work out commitments, as_of, bytes, hashes and head from the rest

It must stay independent: no code of osel, no word of its source.
"""

import hashlib
import json
import struct
import sys

KINDS = "change authentication access activity scan finding command drift gap system".split()
CLASSES = ["body", "personal", "payload", "exposure"]
NO_PROJECT = 0xFFFF
# Which leaves of trees of which sizes the vectors prove.
PROVED = [(1, 10), (9, 10), (0, 1), (4, 5), (5, 8)]
TIME_MIN, TIME_MAX = -62_135_596_800_000_000, 253_402_300_799_999_999


class Bad(Exception):
    """Bytes or a trail that are not right; says which entry and why."""


def commitment(salt, content):
    return hashlib.sha256(salt + content).digest()


def leaf_hash(canonical):
    return hashlib.sha256(b"\x00" + canonical).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(tree_root(leaves[:half]), tree_root(leaves[half:]))


def inclusion_path(index, leaves):
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return inclusion_path(index, leaves[:half]) + [tree_root(leaves[half:])]
    return inclusion_path(index - half, leaves[half:]) + [tree_root(leaves[:half])]


def is_included(proof):
    """The steps of the document's section on proofs, on a proof as `osel audit prove` prints it."""
    at, last = proof["index"], proof["tree_size"] - 1
    node = bytes.fromhex(proof["leaf_hash"])
    if proof["seq"] != at + 1 or at > last:
        return False
    for sibling in map(bytes.fromhex, proof["path"]):
        if last == 0:
            return False
        if at % 2 or at == last:
            node = node_hash(sibling, node)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            node = node_hash(node, sibling)
        at, last = at // 2, last // 2
    return last == 0 and node.hex() == proof["root_hash"]


def write(record):
    """Canonical bytes of a record whose `previous` and parts' `commitment` are bytes."""
    out = b"osel" + struct.pack(">BQ", 1, record["seq"]) + record["previous"]
    out += struct.pack(">qqq", record["time"], record["recorded_at"], record["as_of"])
    out += struct.pack(">BI", KINDS.index(record["kind"]) + 1, len(record["parts"]))
    for part in record["parts"]:
        out += struct.pack(">B", CLASSES.index(part["class"]) + 1)
        if part["project"] is None:
            out += struct.pack(">H", NO_PROJECT)
        else:
            project = part["project"].encode()
            out += struct.pack(">H", len(project)) + project
        out += part["commitment"]
    return out


def read(data):
    """The record that canonical bytes stand for; raises Bad for anything else."""
    at = 0

    def take(length):
        nonlocal at
        at += length
        if at > len(data):
            raise Bad("ends too early")
        return data[at - length:at]

    if len(data) > 65_535:
        raise Bad("too long")
    if take(4) != b"osel":
        raise Bad("no record")
    if take(1) != b"\x01":
        raise Bad("unknown version")
    (seq,) = struct.unpack(">Q", take(8))
    if seq == 0:
        raise Bad("number 0")
    previous = take(32)
    times = struct.unpack(">qqq", take(24))
    if not all(TIME_MIN <= time <= TIME_MAX for time in times):
        raise Bad("time out of range")
    kind, count = struct.unpack(">BI", take(5))
    if not 1 <= kind <= len(KINDS):
        raise Bad("unknown kind")
    parts = []
    for _ in range(count):
        code, length = struct.unpack(">BH", take(3))
        if not 1 <= code <= len(CLASSES):
            raise Bad("unknown class")
        project = None
        if length != NO_PROJECT:
            if length > 255:
                raise Bad("project too long")
            try:
                project = take(length).decode()
            except UnicodeDecodeError:
                raise Bad("project is no text") from None
        parts.append({"class": CLASSES[code - 1], "project": project, "commitment": take(32)})
    if at != len(data):
        raise Bad("bytes follow")
    record = dict(zip(("time", "recorded_at", "as_of"), times))
    record.update(seq=seq, previous=previous, kind=KINDS[kind - 1], parts=parts)
    assert write(record) == data, "one meaning, one form"
    return record


def verify(rows, head=None):
    """Returns how many parts are missing; raises Bad with the first bad entry. Rows are what a store keeps."""
    previous, as_of, missing = bytes(32), TIME_MIN, 0
    for place, row in enumerate(rows, 1):
        try:
            record = read(row["canonical"])
        except Bad as bad:
            raise Bad(place, str(bad)) from None
        digest = leaf_hash(row["canonical"])
        if row["hash"] != digest:
            raise Bad(place, "stored hash differs")
        if record["seq"] != place:
            raise Bad(place, "other number")
        if record["previous"] != previous:
            raise Bad(place, "other predecessor")
        as_of = max(as_of, min(record["time"], record["recorded_at"]))
        if record["as_of"] != as_of:
            raise Bad(place, "as_of differs")
        if len(record["parts"]) != len(row["parts"]):
            raise Bad(place, "other parts")
        for committed, part in zip(record["parts"], row["parts"]):
            if (committed["class"], committed["project"]) != (part["class"], part["project"]):
                raise Bad(place, "other parts")
            if part["content"] is None:
                missing += 1
            elif committed["commitment"] != commitment(part["salt"], part["content"]):
                raise Bad(place, "part differs")
        if head is not None and head[0] == place and head[1] != digest:
            raise Bad(place, "not the noted hash")
        previous = digest
    if head is not None and head[0] > len(rows):
        raise Bad(len(rows) + 1, "the tail is cut")
    return missing


def fill(vectors):
    """Works out everything that follows from times, kinds and parts."""
    previous, as_of = bytes(32), TIME_MIN
    for seq, row in enumerate(vectors["records"], 1):
        as_of = max(as_of, min(row["time"], row["recorded_at"]))
        parts = []
        for part in row["parts"]:
            digest = commitment(bytes.fromhex(part["salt"]), bytes.fromhex(part["content"]))
            parts.append({"class": part["class"], "project": part["project"], "commitment": digest})
            part["commitment"] = digest.hex()
        record = {key: row[key] for key in ("time", "recorded_at", "kind")}
        canonical = write(dict(record, seq=seq, previous=previous, as_of=as_of, parts=parts))
        previous = leaf_hash(canonical)
        row.update(seq=seq, as_of=as_of, canonical=canonical.hex(), hash=previous.hex())
        vectors["head"] = f"{seq}:{previous.hex()}"
    leaves = [bytes.fromhex(row["hash"]) for row in vectors["records"]]
    vectors["proofs"] = [
        {
            "seq": index + 1,
            "index": index,
            "tree_size": size,
            "leaf_hash": leaves[index].hex(),
            "root_hash": tree_root(leaves[:size]).hex(),
            "path": [node.hex() for node in inclusion_path(index, leaves[:size])],
        }
        for index, size in PROVED
    ]


def stored(row):
    parts = [
        dict(part, salt=bytearray.fromhex(part["salt"]), content=bytearray.fromhex(part["content"]))
        for part in row["parts"]
    ]
    return {
        "canonical": bytearray.fromhex(row["canonical"]),
        "hash": bytearray.fromhex(row["hash"]),
        "parts": parts,
    }


def expect_bad(place, rows, head):
    try:
        verify(rows, head)
    except Bad as bad:
        assert bad.args[0] == place, f"entry {place} was changed, entry {bad.args[0]} was named: {bad}"
    else:
        raise AssertionError(f"a change of entry {place} was not found")


def check(vectors):
    again = json.loads(json.dumps(vectors))
    fill(again)
    assert again == vectors, "the vectors are not what the document makes of their times, kinds and parts"

    rows = [stored(row) for row in vectors["records"]]
    seq, digest = vectors["head"].split(":")
    head = (int(seq), bytes.fromhex(digest))
    assert verify(rows, head) == 0
    changes = 0
    for place, row in enumerate(rows, 1):
        fields = [row["canonical"], row["hash"]]
        fields += [part[key] for part in row["parts"] for key in ("salt", "content")]
        for field in fields:
            for at in range(len(field)):
                for difference in (0x01, 0x80, 0xFF):
                    field[at] ^= difference
                    expect_bad(place, rows, head)
                    field[at] ^= difference
                    changes += 1
        expect_bad(place, rows[:place - 1] + rows[place:], head)
        expect_bad(place, rows[:place - 1], head)
        for part in row["parts"]:
            content, part["content"] = part["content"], None
            assert verify(rows, head) == 1, "a missing part is no fault"
            part["content"] = content
    for malformed in vectors["malformed"]:
        try:
            read(bytes.fromhex(malformed["canonical"]))
        except Bad:
            continue
        raise AssertionError(f"read although {malformed['why']}")
    for proof in vectors["proofs"]:
        assert is_included(proof)
        for wrong in (
            dict(proof, index=proof["index"] + 1),
            dict(proof, leaf_hash=proof["root_hash"][::-1]),
            dict(proof, path=proof["path"] + [proof["leaf_hash"]]),
            dict(proof, path=proof["path"][1:], seq=proof["seq"] if proof["path"] else 0),
        ):
            assert not is_included(wrong), f"a wrong proof passed: {wrong}"
    malformed = len(vectors["malformed"])
    print(f"{len(rows)} records and {malformed} malformed ones as expected, {changes} changes found")


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
