/** Logs what a library may throw while it reads a patient's data: run by a test, which reads standard error. */
import { decodeConfig } from '../../firmware/src/config.ts';
import { openLog } from '../../firmware/src/box/pino-log.ts';
import { AppError } from '../../firmware/src/errors.ts';

const canary = 'Canary^Winifred';
const config = decodeConfig(
  { institution: { id: 'north', name: 'North Hospital' }, dataDir: 'data', log: { level: 'debug' } },
  '/',
);
const log = openLog(config).child({ room: 'ingest' });

const plain = new Error(`unexpected token in ${canary}`);
const system = Object.assign(new Error(`open '/studies/${canary}'`), {
  code: 'ENOENT',
  path: `/studies/${canary}`,
  value: canary,
});
const lines = new TypeError(`cannot read\n    at ${canary}\n    at line 2 of ${canary}`);
const circular = new Error(canary);
circular.cause = circular;

log.error({ error: plain }, 'plain');
log.error({ error: system }, 'system');
log.error({ error: lines }, 'lines');
log.error({ error: new AppError('STORE_FAILED', 'The store cannot be written.', { cause: system }) }, 'ours');
log.error({ error: new Error(canary, { cause: new AppError('TPM_FAILED', 'The TPM is gone.') }) }, 'cause');
log.error({ err: plain, cause: lines }, 'other names');
log.warn({ error: canary }, 'text');
log.info({ error: { name: canary } }, 'object');
log.debug({ error: undefined, count: 3 }, 'nothing');
log.error({ error: circular }, 'circular');
