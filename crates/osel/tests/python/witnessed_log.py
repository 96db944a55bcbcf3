"""A log by others that shows itself to a witness, and then tries to be another one.

usage: witnessed_log.py NAME WITNESS_URL WITNESS_KEY

The log's key has the seed 00 01 02 … 1f. It prints one line of JSON: the sizes that were cosigned, what became of a log that was written anew and of one that was
cut, and the size that the witness shows as the last.
"""

import hashlib
import json
import sys
import urllib.request

from aics_tlog import Checkpoint, MerkleTree, parse_checkpoint, parse_note, parse_vkey, sign_checkpoint, verify_checkpoint, vkey_from_ed25519
from aics_witness.feeder import WitnessAhead, WitnessClient, WitnessRejected
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME, URL, WITNESS = sys.argv[1], sys.argv[2], parse_vkey(sys.argv[3])
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = vkey_from_ed25519(NAME, KEY.public_key())


def tree(size, rewritten_from):
    return MerkleTree(f"{leaf}{'' if leaf < rewritten_from else '!'}".encode() for leaf in range(size))


def note(leaves, size):
    return sign_checkpoint(Checkpoint(NAME, size, leaves.root(size)), KEY, NAME).to_bytes()


def verified(cosigned):
    result = verify_checkpoint(parse_note(cosigned), LOG, [WITNESS], 1, expected_origin=NAME, max_age_seconds=600)
    assert result.ok, result
    return result.size


log, sizes = tree(700, 700), []
with WitnessClient(URL, WITNESS) as client:
    for size in (1, 7, 256, 257, 700):
        signed = note(log, size)
        sizes.append(verified(signed + client.submit(signed, log.consistency_proof).encode()))
    other, refused = tree(800, 100), {}
    try:
        client.submit(note(other, 800), other.consistency_proof)
    except WitnessRejected as error:
        refused["written anew"] = error.status
    try:
        client.submit(note(log, 300), log.consistency_proof)
    except WitnessAhead as error:
        refused["cut"] = error.known_size
shown = urllib.request.urlopen(f"{URL}/{hashlib.sha256(NAME.encode()).hexdigest()}/checkpoint").read()
assert parse_checkpoint(parse_note(shown).text).root == log.root(700)
print(json.dumps({"sizes": sizes, "refused": refused, "shown": verified(shown)}))
