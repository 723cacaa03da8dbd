"""Makes test/vectors/object-file.json without any code of Hilum: HKDF (RFC 5869) by hand, AES-256-GCM of python3-cryptography.

usage: python3 object_file_reference.py > object-file.json
"""
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def hkdf(key, salt, info):
    prk = hmac.new(salt, key, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


study_key = bytes(range(32))
study_ref = bytes.fromhex("00112233445566778899aabbccddeeff")
object_ref = bytes.fromhex("ffeeddccbbaa99887766554433221100")
salt = bytes(range(100, 132))
prefix = bytes(range(200, 207))

header = b"HILUMOBJ" + b"\x01" + study_ref + object_ref + salt + prefix
key = hkdf(study_key, salt, header)
domain = b"hilum/object/1"
aad = hashlib.sha256(struct.pack(">H", len(domain)) + domain + header).digest()


def seal(index, last, plaintext):
    return AESGCM(key).encrypt(prefix + struct.pack(">IB", index, last), plaintext, aad)


print(json.dumps({
    "studyKey": study_key.hex(),
    "studyRef": study_ref.hex(),
    "objectRef": object_ref.hex(),
    "salt": salt.hex(),
    "noncePrefix": prefix.hex(),
    "header": header.hex(),
    "key": key.hex(),
    "sealedFirstSha256": hashlib.sha256(seal(0, 0, b"a" * 1048576)).hexdigest(),
    "sealedLast": seal(1, 1, b"the last segment").hex(),
}, indent=2))
