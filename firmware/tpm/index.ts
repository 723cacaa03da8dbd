/** TPM 2.0 through tpm2-tss: the keys of a box, and the software TPM of a box that is a folder. */
export { openDeviceKeys, type DeviceKeysOptions, type OpenDeviceKeys } from './keys/device-keys.ts';
export { SoftwareTpm, type SoftwareTpmOptions } from './simulator/software-tpm.ts';
export { boundRegisters } from './keys/device-policy.ts';
export { ownDevelopmentRegisters } from './simulator/measurement.ts';
export { simulatorAuthorityFiles } from './simulator/setup.ts';
export { kindOf, TpmError, type ResponseKind } from './response-code.ts';
export { fixedEndpoint, type TpmEndpoint, type TpmTarget } from './endpoint.ts';
export { BrokerClient, type BrokerClientOptions } from './broker/client.ts';
export type { OperationName, Operations } from './broker/messages.ts';
export type { Creation, Guarded } from './broker/guarded.ts';
export type { Attesting, Endorsement, SignedAttestation } from './broker/operations/attestation.ts';
export { endorsementKinds, type EndorsementKind } from './wire/endorsement.ts';
export { pcrPolicyDigest, type PcrPolicy } from './wire/policy.ts';
export { nameOf, type ObjectBlob } from './wire/structures.ts';
export { joinRecoveryCode, type RecoveryCodeRefusal, type RecoveryHalves } from './keys/recovery-code.ts';
export { rescuableKeys, rescueKeys, type RescueOptions } from './keys/rescue.ts';
export { recoverableFile, restoreKeys, type RestoreOptions } from './keys/restore.ts';
