"""Checks the ledger's golden vectors without any of Hilum's code: encodes the values, hashes the bytes.

Values stand as JSON in which {"hex": "…"} is a byte string. Exit status 0 if every vector holds.
"""

import hashlib
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent
failures = []


def load(name):
    return json.loads((FOLDER / name).read_text())


def sha256(data):
    return hashlib.sha256(data).digest()


def length_prefixed(data):
    return len(data).to_bytes(4, "big") + data


def domain_hash(domain, *parts):
    text = f"hilum/{domain}/1".encode()
    return sha256(len(text).to_bytes(2, "big") + text + b"".join(parts))


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError(number)


def is_bytes(value):
    return isinstance(value, dict) and list(value) == ["hex"]


def cbor(value):
    """dag-cbor: map keys in the order of their length, then of their bytes."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if is_bytes(value):
        data = bytes.fromhex(value["hex"])
        return head(2, len(data)) + data
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(item) for item in value)
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return head(5, len(keys)) + b"".join(cbor(key) + cbor(value[key]) for key in keys)


def raw(value):
    return bytes.fromhex(value["hex"])


def merkle_root(entries):
    """RFC 9162, section 2.1.1."""
    if len(entries) < 2:
        return sha256(b"".join(b"\0" + entry for entry in entries))
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return sha256(b"\1" + merkle_root(entries[:k]) + merkle_root(entries[k:]))


def check(name, computed, stated):
    if computed.hex() != stated:
        failures.append(f"{name}: {computed.hex()} is not {stated}")


BASIS_DOMAINS = {"access.grant": "grant", "access.refer": "referral", "access.emergency": "emergency"}


def check_leaf(name, body, bulk):
    """The leaf is an entry of the registration in bulk, its path leads to the root (RFC 9162, section 2.1.3.2)."""
    leaf, index = body["leaf"], body["leaf"]["index"]
    entries = raw(bulk["value"]["body"]["entries"])
    check(f"{name} entry", raw(leaf["entry"]), entries[97 * index : 97 * index + 97].hex())
    check(f"{name} study", raw(body["studyId"]), bulk["studyIds"][index])
    fn, sn, node = index, len(entries) // 97 - 1, sha256(b"\0" + raw(leaf["entry"]))
    for sibling in map(raw, leaf["path"]):
        if fn & 1 or fn == sn:
            node = sha256(b"\1" + sibling + node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(b"\1" + node + sibling)
        fn, sn = fn >> 1, sn >> 1
    check(f"{name} path", node, bulk["root"])


genesis = load("genesis.json")
check("genesis encoding", cbor(genesis["value"]), genesis["encoded"])
chain = domain_hash("genesis", cbor(genesis["value"]))
check("chain", chain, genesis["chain"])
for certified in genesis["keysMessages"]:
    institution = next(i for i in genesis["value"]["institutions"] if i["id"] == certified["institution"])
    keys = institution["keys"]
    text = b"hilum/keys/1"
    message = len(text).to_bytes(2, "big") + text + length_prefixed(institution["id"].encode())
    message += raw(keys["voting"]) + raw(keys["transaction"]) + raw(keys["transport"])
    message += raw(keys["device"]["attestationKey"]) + raw(keys["device"]["endorsement"])
    check("keys message", message + keys["expiry"].to_bytes(8, "big"), certified["message"])
    for purpose in ("voting", "transaction", "transport"):
        text = b"hilum/possession/1"
        message = len(text).to_bytes(2, "big") + text + bytes(32) + length_prefixed(institution["id"].encode())
        message += length_prefixed(purpose.encode()) + raw(keys[purpose]) + raw(keys["identity"])
        check(f"possession of the {purpose} key", message, certified["possession"][purpose])

transactions = load("transaction.json")["transactions"]
bulk = next(v for v in transactions if v["value"]["body"]["type"] == "study.registerBulk")
for vector in transactions:
    name, value = vector["name"], vector["value"]
    body = value["body"]
    encoded = cbor(value)
    check(name, encoded, vector["encoded"])
    check(f"{name} id", domain_hash("transaction", encoded), vector["id"])
    message = length_prefixed(body["type"].encode()) + length_prefixed(chain) + cbor(body)
    if body["type"] == "release.accept":
        text = b"hilum/release-accept/1"
        message = len(text).to_bytes(2, "big") + text + chain + raw(body["digest"])
    check(f"{name} message", message, vector["signingMessage"])
    if body["type"] == "study.registerBulk":
        entries = raw(body["entries"])
        leaves = [entries[at : at + 97] for at in range(0, len(entries), 97)]
        check(f"{name} root", merkle_root(leaves), vector["root"])
    if body["type"] in ("study.register", "study.registerBulk"):
        for index, stated in enumerate(vector["studyIds"]):
            place = length_prefixed(body["source"].encode()) + length_prefixed(raw(body["batch"]))
            check(f"{name} study", domain_hash("study-id", chain, place, index.to_bytes(4, "big")), stated)
    if "basisId" in vector:
        check(f"{name} basis", domain_hash(BASIS_DOMAINS[body["type"]], cbor(body)), vector["basisId"])
    if "reassignmentId" in vector:
        check(f"{name} reassignment", domain_hash("reassignment", cbor(body)), vector["reassignmentId"])
    if "leaf" in body:
        check_leaf(name, body, bulk)
    if "proposalId" in vector:
        check(f"{name} proposal", domain_hash("proposal", cbor(body)), vector["proposalId"])
    if "openId" in vector:
        check(f"{name} open", domain_hash("open", cbor(body)), vector["openId"])

blocks = load("block.json")["blocks"]
for vector in blocks:
    value = vector["value"]
    check(vector["name"], cbor(value), vector["encoded"])
    check(f"{vector['name']} digest", domain_hash("block", cbor(value["header"])), vector["digest"])
    root = merkle_root([raw(transaction) for transaction in value["transactions"]])
    check(f"{vector['name']} root", root, value["header"]["transactionsRoot"]["hex"])
    before = [bytes.fromhex(other["digest"]) for other in blocks[: value["header"]["height"]]]
    check(f"{vector['name']} history", merkle_root(before), value["header"]["historyRoot"]["hex"])

records = load("state-tree-records.json")["records"]
for vector in records:
    check(vector["key"], cbor(vector["value"]), vector["encoded"])

for failure in failures:
    print(failure)
print(
    f"{len(transactions)} transactions, {len(blocks)} blocks, {len(records)} records, {len(failures)} failures"
)
sys.exit(bool(failures))
