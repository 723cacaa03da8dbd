"""Makes test/vectors/study-log.json without any code of Hilum: the bytes of a study's log as docs/formats.md says.

usage: python3 study_log_reference.py > study-log.json
"""
import hashlib
import json
import struct
import zlib


def crc(data):
    return struct.pack(">I", zlib.crc32(data))


study_ref = bytes.fromhex("00112233445566778899aabbccddeeff")


def header_of(prepared):
    start = b"HILUMSTY" + struct.pack(">I", 1) + study_ref + struct.pack(">Q", prepared) + bytes(24)
    return start + crc(start)


header = header_of(0)
prepared_bytes = 268435456

domain = b"hilum/study-log/1"
chain = hashlib.sha256(struct.pack(">H", len(domain)) + domain + header).digest()
first_chain = chain

frames = []
log = header


def frame(kind, record, data, durable):
    global chain, log
    head = b"HSF" + bytes([kind]) + struct.pack(">IIQ", len(record), len(data), durable)
    chain = hashlib.sha256(chain + head + record).digest()
    whole = head + chain + crc(head + chain) + record + data + b"\x5a"
    frames.append({
        "kind": kind,
        "record": record.hex(),
        "data": data.hex(),
        "durable": durable,
        "chain": chain.hex(),
        "frame": whole.hex(),
    })
    log += whole


frame(2, b"the first record", b"", len(log))
durable = len(log)
frame(3, b"a record", b"and its object, sealed", durable)
frame(4, b"a record of a large object", bytes.fromhex("ffeeddccbbaa99887766554433221100"), durable)
frame(1, b"", b"", len(log))

print(json.dumps({
    "studyRef": study_ref.hex(),
    "header": header.hex(),
    "preparedBytes": prepared_bytes,
    "preparedHeader": header_of(prepared_bytes).hex(),
    "firstChain": first_chain.hex(),
    "frames": frames,
    "logSha256": hashlib.sha256(log).hexdigest(),
}, indent=2))
