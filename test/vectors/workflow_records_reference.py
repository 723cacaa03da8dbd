"""Makes test/vectors/workflow-records.json without any code of Hilum: canonical CBOR and SHA-256 as docs/formats.md says.

usage: python3 workflow_records_reference.py > workflow-records.json
"""

import hashlib
import json
import struct


def head(major, value):
    for limit, code, form in ((24, None, None), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"), (1 << 32, 26, ">I")):
        if value < limit:
            return bytes([major << 5 | value]) if code is None else bytes([major << 5 | code]) + struct.pack(form, value)
    return bytes([major << 5 | 27]) + struct.pack(">Q", value)


def cbor(value):
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(item) for item in value)
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return head(5, len(keys)) + b"".join(cbor(key) + cbor(value[key]) for key in keys)


def run(length, first):
    return bytes((first + index) % 256 for index in range(length))


AT = 1_700_000_000_000
CT = "1.2.840.10008.5.1.4.1.1.2"

domain = b"hilum/held/1"
held = hashlib.sha256(struct.pack(">H", len(domain)) + domain + run(32, 50) + run(32, 90)).digest()

records = {
    "commitment": {
        "transactionUid": "1.2.9",
        "callingAeTitle": "CT_1",
        "calledAeTitle": "HILUM",
        "instances": [[CT, "1.2.1"], [CT, "1.2.2"]],
        "at": AT,
    },
    "step": {
        "sopInstanceUid": "1.2.7",
        "callingAeTitle": "CT_1",
        "state": "IN PROGRESS",
        "studies": ["1.2"],
        "instances": ["1.2.1"],
        "at": AT,
    },
    "relayed": {
        "kind": "create",
        "sopInstanceUid": "1.2.7",
        "transferSyntaxUid": "1.2.840.10008.1.2",
        "dataSetBytes": b"as it came",
    },
    "quarantined": {
        "is": "quarantined",
        "reason": "other pixels",
        "detail": "",
        "callingAeTitle": "CT_1",
        "remoteAddress": "192.0.2.7",
        "identity": {"transferSyntaxUid": "1.2.840.10008.1.2.1", "sopClassUid": CT, "sopInstanceUid": "1.2.1"},
        "header": {"sopInstanceUid": "1.2.1", "patientName": "Doe^Jane"},
        "at": AT,
        "stored": {"ref": "00" * 16, "frame": 64, "length": 1000, "lastTag": run(16, 1)},
        "digest": run(32, 100),
    },
    "streamRequest": {"openId": run(32, 1), "skip": 2, "held": held, "signature": run(64, 7)},
}

print(json.dumps({name: cbor(record).hex() for name, record in records.items()}, indent=2))
