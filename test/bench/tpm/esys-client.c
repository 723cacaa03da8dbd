/*
 * The same operations as the broker's, as a plain C program over ESYS makes them: storage root key loaded once, then for
 * each operation the object, a session salted to that key with parameter encryption, the policy, the command, and both
 * flushed. Prints the nanoseconds of each operation, one a line.
 *
 *   esys-client TCTI seal|unseal|sign|quote COUNT FOLDER
 *
 * FOLDER holds TPM2B_PUBLIC and TPM2B_PRIVATE of the object (NAME.public, NAME.private), and what the device policy
 * takes: its digest, the operand of the firmware counter, and the branch of each PolicyOR.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#define FILE_BYTES_MAX 4096
#define FIRMWARE_COUNTER 0x0180684a
#define APPROVAL_INDEX 0x0180684c

static ESYS_CONTEXT *context;
static ESYS_TR root;

static void check(const char *what, TSS2_RC code) {
  if (code == TSS2_RC_SUCCESS) return;
  fprintf(stderr, "%s: 0x%x\n", what, code);
  exit(1);
}

static size_t readFile(const char *folder, const char *name, uint8_t *bytes) {
  char path[FILE_BYTES_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  size_t length = fread(bytes, 1, FILE_BYTES_MAX, file);
  fclose(file);
  return length;
}

static void readObject(const char *folder, const char *name, TPM2B_PUBLIC *publicArea, TPM2B_PRIVATE *privateArea) {
  uint8_t bytes[FILE_BYTES_MAX];
  char file[64];
  size_t offset = 0;
  snprintf(file, sizeof file, "%s.public", name);
  size_t length = readFile(folder, file, bytes);
  check("TPM2B_PUBLIC", Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes, length, &offset, publicArea));
  offset = 0;
  snprintf(file, sizeof file, "%s.private", name);
  length = readFile(folder, file, bytes);
  check("TPM2B_PRIVATE", Tss2_MU_TPM2B_PRIVATE_Unmarshal(bytes, length, &offset, privateArea));
}

static const TPMT_SYM_DEF aes128Cfb = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
static const TPML_PCR_SELECTION bound = {
  .count = 1,
  .pcrSelections = { { .hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = { 0x80, 0x08, 0x00 } } },
};
static const TPML_PCR_SELECTION noPcrs = { .count = 0 };
static const TPM2B_DATA noData = { .size = 0 };
static const TPMT_SIG_SCHEME ecdsaSha256 = {
  .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256,
};

static ESYS_TR startSession(TPM2_SE type, TPMA_SESSION attributes) {
  ESYS_TR session;
  check("StartAuthSession", Esys_StartAuthSession(context, root, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                                  NULL, type, &aes128Cfb, TPM2_ALG_SHA256, &session));
  check("TRSess_SetAttributes",
        Esys_TRSess_SetAttributes(context, session, attributes | TPMA_SESSION_CONTINUESESSION, 0xff));
  return session;
}

static void flush(ESYS_TR handle) { check("FlushContext", Esys_FlushContext(context, handle)); }

static ESYS_TR load(const TPM2B_PUBLIC *publicArea, const TPM2B_PRIVATE *privateArea) {
  ESYS_TR object;
  check("Load", Esys_Load(context, root, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, privateArea, publicArea, &object));
  return object;
}

static ESYS_TR counter;
static ESYS_TR approval;
static TPM2B_OPERAND count;
static TPML_DIGEST approved = { .count = 2 };
static TPML_DIGEST device = { .count = 2 };

static void readBranches(const char *folder, const char *name, TPML_DIGEST *branches) {
  uint8_t bytes[FILE_BYTES_MAX];
  size_t length = readFile(folder, name, bytes);
  for (int branch = 0; branch < 2; branch++) {
    branches->digests[branch].size = (UINT16)length;
    memcpy(branches->digests[branch].buffer, bytes, length);
  }
}

/* The indexes stay what they are: a program looks them up once. */
static void openPolicy(const char *folder) {
  uint8_t bytes[FILE_BYTES_MAX];
  count.size = (UINT16)readFile(folder, "count", bytes);
  memcpy(count.buffer, bytes, count.size);
  readBranches(folder, "approved.branch", &approved);
  readBranches(folder, "device.branch", &device);
  check("TR_FromTPMPublic", Esys_TR_FromTPMPublic(context, FIRMWARE_COUNTER, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &counter));
  check("TR_FromTPMPublic", Esys_TR_FromTPMPublic(context, APPROVAL_INDEX, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &approval));
}

static ESYS_TR startPolicy(TPMA_SESSION attributes) {
  ESYS_TR session = startSession(TPM2_SE_POLICY, attributes);
  TPM2B_DIGEST now = { .size = 0 };
  check("PolicyPCR", Esys_PolicyPCR(context, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &now, &bound));
  check("PolicyNV", Esys_PolicyNV(context, counter, counter, session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &count,
                                  0, TPM2_EO_UNSIGNED_LE));
  check("PolicyOR", Esys_PolicyOR(context, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &approved));
  check("PolicyAuthorizeNV", Esys_PolicyAuthorizeNV(context, approval, approval, session, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                                    ESYS_TR_NONE));
  check("PolicyOR", Esys_PolicyOR(context, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &device));
  return session;
}

static void createRoot(void) {
  TPM2B_SENSITIVE_CREATE sensitive = { .size = 0 };
  TPM2B_PUBLIC template = { .publicArea = {
    .type = TPM2_ALG_ECC,
    .nameAlg = TPM2_ALG_SHA256,
    .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                        TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
    .parameters.eccDetail = {
      .symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
      .scheme.scheme = TPM2_ALG_NULL,
      .curveID = TPM2_ECC_NIST_P256,
      .kdf.scheme = TPM2_ALG_NULL,
    },
    .unique.ecc = { .x.size = 32, .y.size = 32 },
  } };
  TPM2B_PUBLIC *publicArea;
  TPM2B_CREATION_DATA *data;
  TPM2B_DIGEST *hash;
  TPMT_TK_CREATION *ticket;
  check("CreatePrimary",
        Esys_CreatePrimary(context, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template,
                           &noData, &noPcrs, &root, &publicArea, &data, &hash, &ticket));
  Esys_Free(publicArea);
  Esys_Free(data);
  Esys_Free(hash);
  Esys_Free(ticket);
}

static TPM2B_PUBLIC publicArea;
static TPM2B_PRIVATE privateArea;
static TPM2B_DIGEST policy;

static void seal(void) {
  TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.data.size = 32 };
  memset(sensitive.sensitive.data.buffer, 0x5a, 32);
  TPM2B_PUBLIC template = { .publicArea = {
    .type = TPM2_ALG_KEYEDHASH,
    .nameAlg = TPM2_ALG_SHA256,
    .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA,
    .authPolicy = policy,
    .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
  } };
  TPM2B_PRIVATE *madePrivate;
  TPM2B_PUBLIC *madePublic;
  TPM2B_CREATION_DATA *data;
  TPM2B_DIGEST *hash;
  TPMT_TK_CREATION *ticket;
  ESYS_TR session = startSession(TPM2_SE_HMAC, TPMA_SESSION_DECRYPT);
  check("Create", Esys_Create(context, root, session, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template, &noData, &noPcrs,
                              &madePrivate, &madePublic, &data, &hash, &ticket));
  flush(session);
  Esys_Free(madePrivate);
  Esys_Free(madePublic);
  Esys_Free(data);
  Esys_Free(hash);
  Esys_Free(ticket);
}

static void unseal(void) {
  TPM2B_SENSITIVE_DATA *secret;
  ESYS_TR object = load(&publicArea, &privateArea);
  ESYS_TR session = startPolicy(TPMA_SESSION_ENCRYPT);
  check("Unseal", Esys_Unseal(context, object, session, ESYS_TR_NONE, ESYS_TR_NONE, &secret));
  flush(session);
  flush(object);
  Esys_Free(secret);
}

static void sign(void) {
  TPM2B_DIGEST digest = { .size = 32 };
  TPMT_TK_HASHCHECK ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
  TPMT_SIGNATURE *signature;
  ESYS_TR object = load(&publicArea, &privateArea);
  ESYS_TR session = startPolicy(0);
  check("Sign", Esys_Sign(context, object, session, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &ecdsaSha256, &ticket, &signature));
  flush(session);
  flush(object);
  Esys_Free(signature);
}

static void quote(void) {
  TPM2B_DATA nonce = { .size = 32 };
  TPM2B_ATTEST *attested;
  TPMT_SIGNATURE *signature;
  ESYS_TR object = load(&publicArea, &privateArea);
  check("Quote", Esys_Quote(context, object, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &nonce, &ecdsaSha256, &bound,
                            &attested, &signature));
  flush(object);
  Esys_Free(attested);
  Esys_Free(signature);
}

static const struct {
  const char *name;
  const char *object;
  void (*run)(void);
} operations[] = {
  { "seal", NULL, seal },
  { "unseal", "sealed", unseal },
  { "sign", "identity", sign },
  { "quote", "attestation", quote },
};

static uint64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  size_t chosen = 0;
  while (chosen < 4 && strcmp(operations[chosen].name, argv[2]) != 0) chosen++;
  if (chosen == 4) return 2;
  if (operations[chosen].object != NULL) readObject(argv[4], operations[chosen].object, &publicArea, &privateArea);
  policy.size = (UINT16)readFile(argv[4], "policy", policy.buffer);

  TSS2_TCTI_CONTEXT *tcti;
  check("Tss2_TctiLdr_Initialize", Tss2_TctiLdr_Initialize(argv[1], &tcti));
  check("Esys_Initialize", Esys_Initialize(&context, tcti, NULL));
  createRoot();
  openPolicy(argv[4]);
  operations[chosen].run();
  for (int left = atoi(argv[3]); left > 0; left--) {
    uint64_t begun = nowNs();
    operations[chosen].run();
    printf("%llu\n", (unsigned long long)(nowNs() - begun));
  }
  flush(root);
  Esys_Finalize(&context);
  Tss2_TctiLdr_Finalize(&tcti);
  return 0;
}
