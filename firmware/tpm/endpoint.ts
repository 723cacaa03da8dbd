import type { SimulatorProcess } from './broker/messages.ts';

/** Where the TPM is. */
export interface TpmEndpoint {
  /**
   * Makes sure that the TPM is there and says how to reach it. Called before each broker is forked.
   * @throws AppError TPM_SIMULATOR_MISSING, TPM_ABSENT.
   */
  open(): Promise<TpmTarget>;
  /** What was measured at this boot, in the TCG's crypto-agile format. */
  readonly eventLogFile: string;
  /** Called when the TPM is known to be gone. @returns a function that ends it. */
  onLost(listener: () => void): () => void;
}

export interface TpmTarget {
  /** Name and configuration of the transport: `device:/dev/tpmrm0`. */
  readonly tcti: string;
  readonly simulator?: SimulatorProcess;
}

/** Where Linux shows what the boot firmware and the boot loader measured (securityfs). */
const kernelEventLogFile = '/sys/kernel/security/tpm0/binary_bios_measurements';

/** A TPM that the machine has. Its loss shows when it is used. */
export function fixedEndpoint(tcti: string): TpmEndpoint {
  return {
    eventLogFile: kernelEventLogFile,
    open: () => Promise.resolve({ tcti }),
    onLost: () => () => undefined,
  };
}
