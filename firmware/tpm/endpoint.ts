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

/**
 * Where Linux shows what the boot firmware and the boot loader measured into this TPM (securityfs). Resource manager, TPM
 * and log bear one number; a transport without one is taken for the first TPM's.
 */
function kernelEventLogFile(tcti: string): string {
  const [, number = '0'] = /^device:\/dev\/tpm(?:rm)?(\d+)$/.exec(tcti) ?? [];
  return `/sys/kernel/security/tpm${number}/binary_bios_measurements`;
}

/** A TPM that the machine has. Its loss shows when it is used. */
export function fixedEndpoint(tcti: string): TpmEndpoint {
  return {
    eventLogFile: kernelEventLogFile(tcti),
    open: () => Promise.resolve({ tcti }),
    onLost: () => () => undefined,
  };
}
