/** Loads tpm2-tss. All foreign calls of Hilum are made in the broker process; nothing else loads these. */
import koffi, { type LibraryHandle } from 'koffi';
import { AppError } from '../../src/errors.ts';

export interface TssLibraries {
  readonly tctiLoader: LibraryHandle;
  readonly esys: LibraryHandle;
  readonly marshal: LibraryHandle;
}

/**
 * File names by which a library is looked for, in order. Debian 12 (tpm2-tss 3.2.1) and Debian 13 (4.1.3) renamed their
 * packages, not the sonames; the name without a version is there where the development package is installed.
 */
export const tssSonames = {
  tctiLoader: ['libtss2-tctildr.so.0', 'libtss2-tctildr.so'],
  esys: ['libtss2-esys.so.0', 'libtss2-esys.so'],
  marshal: ['libtss2-mu.so.0', 'libtss2-mu.so'],
} as const satisfies Record<keyof TssLibraries, readonly string[]>;

/** The first that loads. @throws AppError TPM_LIBRARY_MISSING if none does. */
export function loadLibrary(sonames: readonly string[]): LibraryHandle {
  const failures: Error[] = [];
  for (const soname of sonames) {
    try {
      return koffi.load(soname);
    } catch (failure) {
      if (!(failure instanceof Error)) throw failure;
      failures.push(failure);
    }
  }
  // The loader's own words: what is missing may be a library that this one needs.
  const reasons = failures.map(({ message }) => message).join('; ');
  throw new AppError('TPM_LIBRARY_MISSING', `cannot load ${sonames.join(' or ')} (${reasons})`, {
    cause: new AggregateError(failures),
  });
}

export function loadTss(): TssLibraries {
  return {
    tctiLoader: loadLibrary(tssSonames.tctiLoader),
    esys: loadLibrary(tssSonames.esys),
    marshal: loadLibrary(tssSonames.marshal),
  };
}
