import type { SimulatorProcess } from './broker/messages.ts';

/** Where the TPM is. */
export interface TpmEndpoint {
  /**
   * Makes sure that the TPM is there and says how to reach it. Called before each broker is forked.
   * @throws AppError TPM_SIMULATOR_MISSING, TPM_ABSENT.
   */
  open(): Promise<TpmTarget>;
  /** Called when the TPM is known to be gone. @returns a function that ends it. */
  onLost(listener: () => void): () => void;
}

export interface TpmTarget {
  /** Name and configuration of the transport: `device:/dev/tpmrm0`. */
  readonly tcti: string;
  readonly simulator?: SimulatorProcess;
}

/** A TPM that the machine has. Its loss shows when it is used. */
export function fixedEndpoint(tcti: string): TpmEndpoint {
  return {
    open: () => Promise.resolve({ tcti }),
    onLost: () => () => undefined,
  };
}
