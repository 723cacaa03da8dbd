import type { LibraryHandle } from 'koffi';
import { TpmError } from '../response-code.ts';
import { arenaBytesMax, structureBytesMax } from '../limits.ts';
import { Arena } from './arena.ts';
import {
  esysFunctions,
  localFunctions,
  type Arguments,
  type EsysFunction,
  type ParameterName,
  type Results,
  type ScalarName,
  type StructureName,
} from './functions.ts';
import { loadTss } from './libraries.ts';

/** A C function; koffi's types know neither its arguments nor its result. */
type NativeFunction = ReturnType<LibraryHandle['func']>;

/** The C types of scalars; structures are pointers. */
const scalarTypes: Record<ScalarName, string> = {
  handle: 'uint32_t',
  u8: 'uint8_t',
  u16: 'uint16_t',
  u32: 'uint32_t',
};

function isScalar(name: ParameterName): name is ScalarName {
  return Object.hasOwn(scalarTypes, name);
}

const wordBytes = 8;

interface LoaderFunctions {
  readonly openTcti: NativeFunction;
  readonly closeTcti: NativeFunction;
  readonly openContext: NativeFunction;
  readonly closeContext: NativeFunction;
  readonly free: NativeFunction;
}

/** Runs a foreign function on a thread of the pool, so that a slow TPM does not stop this process. */
function onThread(run: NativeFunction, args: readonly unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    run.async(...args, (failure: Error | null, result: number) => {
      if (failure) reject(failure);
      else resolve(result);
    });
  });
}

/**
 * One ESYS context: one connection to one TPM. ESYS is not safe for threads, so all calls run on one queue, in the
 * order in which they were made. No C structure is laid out here: arguments enter as wire bytes through the MU
 * library's Unmarshal functions, results leave through its Marshal functions.
 */
export class EsysContext {
  readonly #arena = new Arena(arenaBytesMax);
  readonly #esys: LibraryHandle;
  readonly #marshal: LibraryHandle;
  readonly #loader: LoaderFunctions;
  readonly #functions = new Map<string, NativeFunction>();
  #queue: Promise<unknown> = Promise.resolve();
  #tcti = 0n;
  #context = 0n;

  private constructor() {
    const tss = loadTss();
    this.#esys = tss.esys;
    this.#marshal = tss.marshal;
    this.#loader = {
      openTcti: tss.tctiLoader.func('uint32_t Tss2_TctiLdr_Initialize(const char *nameConf, void *tcti)'),
      closeTcti: tss.tctiLoader.func('void Tss2_TctiLdr_Finalize(void *tcti)'),
      openContext: tss.esys.func('uint32_t Esys_Initialize(void *context, void *tcti, void *abiVersion)'),
      closeContext: tss.esys.func('void Esys_Finalize(void *context)'),
      free: tss.esys.func('void Esys_Free(void *memory)'),
    };
  }

  /**
   * @param tcti name and configuration: `device:/dev/tpmrm0`, `swtpm:path=/run/tpm.sock`.
   * @throws AppError TPM_LIBRARY_MISSING; TpmError if there is no TPM.
   */
  static async open(tcti: string): Promise<EsysContext> {
    const context = new EsysContext();
    await context.#open(tcti);
    return context;
  }

  /** @throws TpmError with the response code that is not success. */
  call<Name extends EsysFunction>(name: Name, ...args: Arguments<Name>): Promise<Results<Name>> {
    return this.#serialised(() => this.#call(name, args)) as Promise<Results<Name>>;
  }

  /** Ends the connection. Nothing may be called afterwards. */
  close(): Promise<void> {
    return this.#serialised(async () => {
      const holder = this.#arena.reserve(wordBytes);
      this.#arena.view.setBigUint64(holder, this.#context, true);
      await onThread(this.#loader.closeContext, [this.#arena.pointer(holder)]);
      this.#arena.view.setBigUint64(holder, this.#tcti, true);
      await onThread(this.#loader.closeTcti, [this.#arena.pointer(holder)]);
      this.#arena.free();
    });
  }

  async #open(tcti: string): Promise<void> {
    const holder = this.#arena.reserve(wordBytes);
    const pointer = this.#arena.pointer(holder);
    this.#check('Tss2_TctiLdr_Initialize', await onThread(this.#loader.openTcti, [tcti, pointer]));
    this.#tcti = this.#arena.word(holder);
    this.#check('Esys_Initialize', await onThread(this.#loader.openContext, [pointer, this.#tcti, null]));
    this.#context = this.#arena.word(holder);
    this.#arena.clear();
  }

  #serialised<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run);
    // The caller gets the failure; the next call runs all the same.
    this.#queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #call(name: EsysFunction, args: readonly (number | Uint8Array | null)[]): Promise<unknown[]> {
    const { takes, gives } = esysFunctions[name];
    try {
      const inputs = takes.map((kind, index) => this.#input(kind, args[index] as number | Uint8Array | null));
      const holders = gives.map(() => this.#arena.reserve(wordBytes));
      const outputs = holders.map((holder) => this.#arena.pointer(holder));
      const run = this.#esysFunction(name);
      const all = [this.#context, ...inputs, ...outputs];
      const code = localFunctions.has(name) ? (run(...all) as number) : await onThread(run, all);
      this.#check(`Esys_${name}`, code);
      return this.#results(gives, holders);
    } finally {
      this.#arena.clear();
    }
  }

  #input(kind: ParameterName, value: number | Uint8Array | null): number | bigint | null {
    return value instanceof Uint8Array ? this.#unmarshal(kind as StructureName, value) : value;
  }

  /** Frees every structure that ESYS allocated, also when one of them cannot be read. */
  #results(kinds: readonly ParameterName[], holders: readonly number[]): unknown[] {
    const structures = holders.filter((_, index) => !isScalar(kinds[index] as ParameterName));
    try {
      return kinds.map((kind, index) => {
        const holder = holders[index] as number;
        if (kind === 'u8') return this.#arena.view.getUint8(holder);
        if (kind === 'u16') return this.#arena.view.getUint16(holder, true);
        if (isScalar(kind)) return this.#arena.view.getUint32(holder, true);
        return this.#marshalled(kind, this.#arena.word(holder));
      });
    } finally {
      for (const holder of structures) this.#loader.free(this.#arena.word(holder));
    }
  }

  /** @returns a pointer to the C structure. @throws RangeError if bytes are left over: a bug in the codec. */
  #unmarshal(name: StructureName, wire: Uint8Array): bigint {
    const source = this.#arena.place(wire);
    const offset = this.#arena.reserve(wordBytes);
    const structure = this.#arena.pointer(this.#arena.reserve(structureBytesMax));
    const unmarshal = this.#function(this.#marshal, `Tss2_MU_${name}_Unmarshal`, [
      'void *',
      'size_t',
      'void *',
      'void *',
    ]);
    const code = unmarshal(
      this.#arena.pointer(source),
      wire.length,
      this.#arena.pointer(offset),
      structure,
    ) as number;
    this.#check(`Tss2_MU_${name}_Unmarshal`, code);
    if (this.#arena.word(offset) !== BigInt(wire.length)) throw new RangeError(`bytes left over in ${name}`);
    return structure;
  }

  #marshalled(name: StructureName, structure: bigint): Uint8Array {
    const target = this.#arena.reserve(structureBytesMax);
    const offset = this.#arena.reserve(wordBytes);
    const marshal = this.#function(this.#marshal, `Tss2_MU_${name}_Marshal`, [
      'void *',
      'void *',
      'size_t',
      'void *',
    ]);
    const code = marshal(
      structure,
      this.#arena.pointer(target),
      structureBytesMax,
      this.#arena.pointer(offset),
    ) as number;
    this.#check(`Tss2_MU_${name}_Marshal`, code);
    return this.#arena.bytes.slice(target, target + Number(this.#arena.word(offset)));
  }

  #esysFunction(name: EsysFunction): NativeFunction {
    const { takes, gives } = esysFunctions[name];
    return this.#function(this.#esys, `Esys_${name}`, [
      'void *',
      ...takes.map((kind: ParameterName) => (isScalar(kind) ? scalarTypes[kind] : 'void *')),
      ...gives.map(() => 'void *'),
    ]);
  }

  /** All functions of tpm2-tss that are called here return a TSS2_RC. */
  #function(library: LibraryHandle, name: string, parameters: string[]): NativeFunction {
    const known = this.#functions.get(name);
    if (known) return known;
    const made = library.func(name, 'uint32_t', parameters);
    this.#functions.set(name, made);
    return made;
  }

  #check(command: string, code: number): void {
    if (code !== 0) throw new TpmError(command, code);
  }
}
