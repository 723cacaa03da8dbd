"""An independent reference of Hilum's cryptographic formats, in plain Python (standard library only).

Written from the specification (docs/formats.md), not from the TypeScript. Called with a folder, it writes
owner-keys.json, address.json, notes.json, commitment.json and grant-note.json into it; the unit tests of the protocol
room run it and compare, and check their own code against the files. Nothing here is fit for secrets: it is slow and
not constant in time.
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

# --- edwards25519 (RFC 8032, section 5.1) and X25519 (RFC 7748, section 5) ---------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    assert (x * x - x2) % P == 0, "no point"
    return P - x if x % 2 != sign else x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y)
IDENTITY = (0, 1)


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P
    return x, y


def times(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def encode_point(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def x25519(scalar, u):
    k = int.from_bytes(scalar, "little") & ~7 & (1 << 255) - 1 | 1 << 254
    x1 = (int.from_bytes(u, "little") & (1 << 255) - 1) % P
    x2, z2, x3, z3 = 1, 0, x1, 1
    for t in range(254, -1, -1):
        if k >> t & 1:
            x2, z2, x3, z3 = step(x1, x3, z3, x2, z2, swap=True)
        else:
            x2, z2, x3, z3 = step(x1, x2, z2, x3, z3, swap=False)
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def step(x1, x2, z2, x3, z3, swap):
    a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
    aa, bb = a * a % P, b * b % P
    da, cb = d * a % P, c * b % P
    e = aa - bb
    doubled = (aa * bb % P, e * (aa + 121665 * e) % P)
    added = ((da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P)
    return (*added, *doubled) if swap else (*doubled, *added)


NINE = (9).to_bytes(32, "little")

# --- hashes ----------------------------------------------------------------------------------------------------


def u8(n):
    return struct.pack(">B", n)


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def lp(field):
    return u32(len(field)) + field


def domain_prefix(domain):
    text = b"hilum/" + domain + b"/1"
    return struct.pack(">H", len(text)) + text


def h(domain, *parts):
    return hashlib.sha256(domain_prefix(domain) + b"".join(parts)).digest()


def hkdf_extract(algorithm, salt, material):
    salt = salt or bytes(hashlib.new(algorithm).digest_size)
    return hmac.new(salt, material, algorithm).digest()


def hkdf_expand(algorithm, prk, info, length):
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.new(prk, block + info + bytes([counter]), algorithm).digest()
        output, counter = output + block, counter + 1
    return output[:length]


def mth(entries):
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


# --- canonical CBOR (dag-cbor: map keys by length, then bytes) ----------------------------------------------------


def cbor_head(major, n):
    for bits, code, form in ((8, 24, ">B"), (16, 25, ">H"), (32, 26, ">I"), (64, 27, ">Q")):
        if n < 24:
            return bytes([major << 5 | n])
        if n < 1 << bits:
            return bytes([major << 5 | code]) + struct.pack(form, n)
    raise ValueError(n)


def cbor(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return cbor_head(0, value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        encoded = value.encode()
        return cbor_head(3, len(encoded)) + encoded
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(cbor, value))
    keys = sorted((key.encode() for key in value), key=lambda key: (len(key), key))
    return cbor_head(5, len(keys)) + b"".join(cbor(key.decode()) + cbor(value[key.decode()]) for key in keys)


# --- AES-256-GCM (FIPS 197, SP 800-38D) -------------------------------------------------------------------------


def gf_multiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def make_sbox():
    box = []
    for value in range(256):
        inverse = next((c for c in range(256) if gf_multiply(value, c) == 1), 0)
        rotated = inverse
        for shift in range(1, 5):
            rotated ^= (inverse << shift | inverse >> 8 - shift) & 0xFF
        box.append(rotated ^ 0x63)
    return box


SBOX = make_sbox()


def aes256_schedule(key):
    words = [list(key[i : i + 4]) for i in range(0, 32, 4)]
    constant = 1
    for i in range(8, 60):
        word = list(words[-1])
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = gf_multiply(constant, 2)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[i : i + 4], []) for i in range(0, 60, 4)]


def aes_encrypt_block(schedule, block):
    state = [a ^ b for a, b in zip(block, schedule[0])]
    for number, round_key in enumerate(schedule[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for column in range(0, 16, 4):
                c = state[column : column + 4]
                for i in range(4):
                    near, next_, third, fourth = (c[(i + j) % 4] for j in range(4))
                    mixed.append(gf_multiply(near, 2) ^ gf_multiply(next_, 3) ^ third ^ fourth)
            state = mixed
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


def ghash_multiply(x, y):
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def aes256_gcm_seal(key, nonce, plaintext, aad):
    schedule = aes256_schedule(key)
    hash_key = int.from_bytes(aes_encrypt_block(schedule, bytes(16)), "big")
    ciphertext = b""
    for i in range(0, len(plaintext), 16):
        stream = aes_encrypt_block(schedule, nonce + u32(2 + i // 16))
        ciphertext += bytes(a ^ b for a, b in zip(plaintext[i : i + 16], stream))
    tag = 0
    padded = aad + bytes(-len(aad) % 16) + ciphertext + bytes(-len(ciphertext) % 16)
    padded += u64(8 * len(aad)) + u64(8 * len(ciphertext))
    for i in range(0, len(padded), 16):
        tag = ghash_multiply(tag ^ int.from_bytes(padded[i : i + 16], "big"), hash_key)
    mask = aes_encrypt_block(schedule, nonce + u32(1))
    return ciphertext + bytes(a ^ b for a, b in zip(tag.to_bytes(16, "big"), mask))


# --- HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM ------------------------------


def hpke_seal(recipient_public, ephemeral_private, info, plaintext, aad):
    kem_suite = b"KEM" + struct.pack(">H", 0x0020)
    suite = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0002)

    def labeled_extract(suite_id, salt, label, material):
        return hkdf_extract("sha256", salt, b"HPKE-v1" + suite_id + label + material)

    def labeled_expand(suite_id, prk, label, context, length):
        info_bytes = struct.pack(">H", length) + b"HPKE-v1" + suite_id + label + context
        return hkdf_expand("sha256", prk, info_bytes, length)

    enc = x25519(ephemeral_private, NINE)
    dh = x25519(ephemeral_private, recipient_public)
    eae_prk = labeled_extract(kem_suite, b"", b"eae_prk", dh)
    shared = labeled_expand(kem_suite, eae_prk, b"shared_secret", enc + recipient_public, 32)
    context = b"\x00" + labeled_extract(suite, b"", b"psk_id_hash", b"")
    context += labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared, b"secret", b"")
    key = labeled_expand(suite, secret, b"key", context, 32)
    nonce = labeled_expand(suite, secret, b"base_nonce", context, 12)
    return enc + aes256_gcm_seal(key, nonce, plaintext, aad)


# --- Hilum ------------------------------------------------------------------------------------------------------


def wide_scalar(data):
    return int.from_bytes(data, "little") % L


def scalar_bytes(scalar):
    return scalar.to_bytes(32, "little")


class Account:
    def __init__(self, seed, institution):
        self.institution = institution.encode()
        info = lp(self.institution)
        self.a = wide_scalar(hkdf_expand("sha512", hkdf_extract("sha512", b"", seed), b"spend" + info, 64))
        self.v = hkdf_expand("sha256", hkdf_extract("sha256", b"", seed), b"view" + info, 32)
        self.point = times(self.a, BASE)
        self.S = encode_point(self.point)
        self.V = x25519(self.v, NINE)


def sign(k, random, message):
    public = encode_point(times(k, BASE))
    parts = b"hilum/nonce/1" + scalar_bytes(k) + random + public + message
    rho = wide_scalar(hashlib.sha512(parts).digest())
    commitment = encode_point(times(rho, BASE))
    challenge = wide_scalar(hashlib.sha512(commitment + public + message).digest())
    return commitment + scalar_bytes((rho + challenge * k) % L)


class OneTime:
    def __init__(self, account, chain, r, index):
        self.R = x25519(r, NINE)
        shared = x25519(r, account.V)
        material = shared + chain + lp(account.institution) + self.R + account.V + account.S
        self.prk = hkdf_extract("sha512", b"hilum/owner/1", material)
        self.tag = hkdf_expand("sha512", self.prk, b"tag" + u32(index), 1)[0]
        self.t = wide_scalar(hkdf_expand("sha512", self.prk, b"tweak" + u32(index), 64))
        self.K = encode_point(add(account.point, times(self.t, BASE)))
        self.k = (account.a + self.t) % L
        assert encode_point(times(self.k, BASE)) == self.K


def pad(content, unit):
    framed = lp(content)
    return framed + bytes(-len(framed) % unit)


def pattern(length, first):
    return bytes((first + i) % 256 for i in range(length))


CHAIN = pattern(32, 0x10)
R_SECRET = pattern(32, 0x40)
RANDOM = pattern(80, 0x80)


def owner_keys():
    cases = []
    for institution, index, first in (("st-elsewhere", 0, 0x01), ("north-imaging", 7, 0x51), ("a", 4294967295, 0xA1)):
        seed = pattern(32, first)
        account, message = Account(seed, institution), pattern(100, first)
        key = OneTime(account, CHAIN, R_SECRET, index)
        cases.append(
            {
                "seed": seed,
                "institution": institution,
                "index": index,
                "spend": account.S,
                "view": account.V,
                "viewKey": account.v,
                "ephemeral": key.R,
                "prk": key.prk,
                "tag": key.tag,
                "tweak": scalar_bytes(key.t),
                "ownerKey": key.K,
                "scalar": scalar_bytes(key.k),
                "message": message,
                "signature": sign(key.k, RANDOM, message),
            }
        )
    return {"chain": CHAIN, "r": R_SECRET, "random": RANDOM, "cases": cases}


def address():
    seed, institution, nonce = pattern(32, 0x01), "st-elsewhere", pattern(16, 0x70)
    account = Account(seed, institution)
    unsigned = u8(1) + CHAIN + lp(account.institution) + account.S + account.V
    signature = sign(account.a, RANDOM, domain_prefix(b"address") + unsigned + lp(nonce))
    mailbox = domain_prefix(b"mailbox") + CHAIN + lp(account.institution) + account.S + lp(nonce)
    return {
        "seed": seed,
        "institution": institution,
        "chain": CHAIN,
        "nonce": nonce,
        "address": unsigned + signature,
        "mailboxMessage": mailbox,
    }


def notes():
    account = Account(pattern(32, 0x01), "st-elsewhere")
    key, index, commitment = OneTime(account, CHAIN, R_SECRET, 3), 3, pattern(32, 0xC0)
    note = {
        "salt": pattern(32, 0x20),
        "kind": "imaging-study",
        "studyInstanceUid": "1.2.826.0.1.3680043.8.498.1",
        "date": "20240309",
        "modalities": ["CT", "SEG"],
        "description": "Thorax nativ, Größe",
        "instances": 200,
        "bytes": 105267200,
    }
    note_key = hkdf_expand("sha512", key.prk, b"note" + u32(index) + commitment, 32)
    ciphertext = aes256_gcm_seal(note_key, bytes(12), pad(cbor({"v": 1, **note}), 512), b"")
    return {
        "prk": key.prk,
        "index": index,
        "commitment": commitment,
        "note": note,
        "noteKey": note_key,
        "ciphertext": ciphertext,
        "noteHash": hashlib.sha256(ciphertext).digest(),
    }


CHUNK = 1048576


def commitment():
    salt = pattern(32, 0x20)
    instances, hashes, total = [], [], 0
    top = hmac.new(salt, b"top", "sha256").digest()
    # Numbers may be left out; lengths around the chunk's size are where mistakes live.
    for j, length in ((0, 1), (1, CHUNK - 1), (2, CHUNK), (4, CHUNK + 1), (5, 3 * CHUNK + 17)):
        data = (bytes(range(251)) * (length // 251 + 1))[:length]
        key = hmac.new(salt, b"inst" + u32(j), "sha256").digest()
        chunks = [data[i : i + CHUNK] for i in range(0, length, CHUNK)]
        leaves = [hmac.new(key, b"\x00" + u64(n) + chunk, "sha256").digest() for n, chunk in enumerate(chunks)]
        instance_hash = h(b"inst", key, u64(length), mth(leaves))
        hashes.append(instance_hash)
        total += length
        instances.append(
            {"number": j, "key": key, "length": length, "leaves": b"".join(leaves), "hash": instance_hash}
        )
    manifest = {
        "v": 1,
        "top": top,
        "instances": [{name: i[name] for name in ("key", "length", "leaves")} for i in instances],
    }
    uids = ("1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.3680043.8.498.2")
    return {
        "salt": salt,
        "top": top,
        "instances": instances,
        "commitment": h(b"study", top, u32(len(hashes)), u64(total), mth(hashes)),
        "manifest": cbor(manifest),
        "uids": list(uids),
        "instancePrefix": b"".join(lp(uid.encode()) for uid in uids),
    }


def grant_note():
    source, grantee = Account(pattern(32, 0x01), "st-elsewhere"), Account(pattern(32, 0x61), "north-imaging")
    key = OneTime(grantee, CHAIN, R_SECRET, 0)
    salt = pattern(32, 0x20)
    open_terms = {
        "purpose": "Second opinion",
        "person": "Dr. Sørensen",
        "patientAtGrantee": pattern(32, 0xE0),
        "consent": h(b"consent", pattern(32, 0xC0), lp("A signed form.".encode())),
    }
    body = {
        "type": "access.grant",
        "chain": CHAIN,
        "validUntil": 1760000120000,
        "studyId": pattern(32, 0x30),
        "ownerEpoch": 0,
        "seq": 1,
        "granteeKey": key.K,
        "ephemeral": key.R,
        "tag": key.tag,
        "termsHash": h(b"terms", salt, cbor(open_terms)),
        "notBefore": 1760000000000,
        "expiry": 1760604800000,
        "maxOpens": 5,
        "amendments": True,
    }
    note = {"source": "st-elsewhere", "grantee": "north-imaging", "terms": {**open_terms, "salt": salt}}
    aad, note_key = cbor(body), pattern(32, 0x90)
    sealed = u8(1)
    for role, account, ephemeral in ((1, source, pattern(32, 0xB0)), (2, grantee, pattern(32, 0xD0))):
        info = domain_prefix(b"grant-note") + u8(role)
        sealed += hpke_seal(account.V, ephemeral, info, note_key, aad)
    sealed += aes256_gcm_seal(note_key, bytes(12), pad(cbor(note), 512), aad)
    return {
        "sourceViewKey": source.v,
        "granteeViewKey": grantee.v,
        "granteeSeed": pattern(32, 0x61),
        "granteeSpend": grantee.S,
        "tweak": scalar_bytes(key.t),
        "consentSalt": pattern(32, 0xC0),
        "consentStatement": "A signed form.".encode(),
        "content": note,
        "body": body,
        "note": sealed,
    }


def hexed(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: hexed(item) for key, item in value.items()}
    return [hexed(item) for item in value] if isinstance(value, list) else value


VECTORS = {
    "owner-keys": owner_keys,
    "address": address,
    "notes": notes,
    "commitment": commitment,
    "grant-note": grant_note,
}

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for name, make in VECTORS.items():
        (folder / f"{name}.json").write_text(json.dumps(hexed(make()), indent=2, ensure_ascii=False) + "\n")
