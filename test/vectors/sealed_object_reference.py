"""Makes test/vectors/sealed-object.json without any code of Hilum: HKDF-Expand (RFC 5869) by hand, AES-256-GCM of python3-cryptography.

usage: python3 sealed_object_reference.py > sealed-object.json
"""
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def hkdf_expand(key, info):
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()


study_key = bytes(range(32))
study_ref = bytes.fromhex("00112233445566778899aabbccddeeff")
object_ref = bytes.fromhex("ffeeddccbbaa99887766554433221100")
salt = bytes(range(100, 132))

header = b"HILUMOBJ" + b"\x03" + study_ref + object_ref + salt
key = hkdf_expand(study_key, header)


def seal(index, plaintext):
    return AESGCM(key).encrypt(struct.pack(">QI", 0, index), plaintext, None)


print(json.dumps({
    "studyKey": study_key.hex(),
    "studyRef": study_ref.hex(),
    "objectRef": object_ref.hex(),
    "salt": salt.hex(),
    "header": header.hex(),
    "key": key.hex(),
    "sealedFirstSha256": hashlib.sha256(seal(0, b"a" * 1048576)).hexdigest(),
    "sealedLast": seal(1, b"the last segment").hex(),
}, indent=2))
