/** odil, a DICOM library in C++, through its Python wrappers: normalized services as SCU and as SCP. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, runPython } from './dimse-tools.ts';

/** A data set or a command in the DICOM JSON Model (PS3.18 annex F) as odil has it: tags in lower case. */
export type DicomJson = Readonly<
  Record<string, { readonly vr: string; readonly Value?: readonly unknown[] }>
>;

/** As an odil SCU sends them, each in the order given. */
export interface NormalizedRequest {
  readonly kind: 'create' | 'set';
  readonly sopClassUid: string;
  /** Without one the SCP of an N-CREATE is asked to name the instance. */
  readonly sopInstanceUid?: string;
  readonly dataSet: DicomJson;
}

const scu = `
import json, sys, odil
port, called, requests = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
P = odil.AssociationParameters
syntaxes = [odil.registry.ExplicitVRLittleEndian, odil.registry.ImplicitVRLittleEndian]
classes = sorted({r['sopClassUid'] for r in requests})
p = P()
p.set_calling_ae_title('ODIL')
p.set_called_ae_title(called)
p.set_presentation_contexts([P.PresentationContext(c, syntaxes, P.PresentationContext.Role.SCU) for c in classes])
a = odil.Association()
a.set_peer_host('127.0.0.1')
a.set_peer_port(port)
a.set_parameters(p)
a.associate()
answers = []
for r in requests:
    sop_class, uid, data = r['sopClassUid'], r.get('sopInstanceUid'), odil.from_json(json.dumps(r['dataSet']))
    if r['kind'] == 'create':
        request = odil.messages.NCreateRequest(a.next_message_id(), sop_class, data)
        if uid is not None: request.set_affected_sop_instance_uid(uid)
    else:
        request = odil.messages.NSetRequest(a.next_message_id(), sop_class, uid, data)
    a.send_message(request, sop_class)
    answers.append(json.loads(odil.as_json(a.receive_message().get_command_set())))
a.release()
print(json.dumps(answers))
`;

/** On one association. Resolves with the command set of each response. */
export async function odilRequests(
  port: number,
  calledAeTitle: string,
  requests: readonly NormalizedRequest[],
): Promise<readonly DicomJson[]> {
  return (await runPython(scu, [
    String(port),
    calledAeTitle,
    JSON.stringify(requests),
  ])) as readonly DicomJson[];
}

/** What an odil SCP was asked, and answered with the status that it was started with. */
export interface TakenRequest {
  readonly kind: 'create' | 'set';
  readonly callingAeTitle: string;
  readonly command: DicomJson;
  readonly dataSet: DicomJson;
}

const scp = `
import json, sys, odil
port, status = int(sys.argv[1]), int(sys.argv[2])
def taking(kind, association):
    def take(request):
        command, data = (json.loads(odil.as_json(s)) for s in (request.get_command_set(), request.get_data_set()))
        title = association.get_negotiated_parameters().get_calling_ae_title()
        print(json.dumps(dict(kind=kind, callingAeTitle=title.decode() if isinstance(title, bytes) else title,
          command=command, dataSet=data)), flush=True)
        return status
    return take
while True:
    a = odil.Association()
    a.receive_association('v4', port)
    create, change = odil.NCreateSCP(a), odil.NSetSCP(a)
    create.set_callback(taking('create', a))
    change.set_callback(taking('set', a))
    dispatcher = odil.SCPDispatcher(a)
    dispatcher.set_ncreate_scp(create)
    dispatcher.set_nset_scp(change)
    try:
        while True: dispatcher.dispatch()
    except (odil.AssociationReleased, odil.AssociationAborted):
        pass
`;

/** LISTEN in /proc/net/tcp. */
const listenState = '0A';

/** Whether a server of this machine listens on the port. odil takes one association, and then listens anew. */
async function isListening(port: number): Promise<boolean> {
  const address = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = (await readFile('/proc/net/tcp', 'utf8'))
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return sockets.some(([, local, , state]) => state === listenState && local?.endsWith(address));
}

/** An SCP of N-CREATE and N-SET for whatever SOP class it is asked. */
export class OdilScp {
  readonly port: number;
  readonly taken: TakenRequest[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, null>;

  private constructor(port: number, child: ChildProcessByStdio<null, Readable, null>) {
    this.port = port;
    this.#child = child;
    createInterface(child.stdout).on('line', (line) => this.taken.push(JSON.parse(line) as TakenRequest));
  }

  static async start(status = 0): Promise<OdilScp> {
    const port = await freePort();
    const args = ['-W', 'ignore', '-c', scp, String(port), String(status)];
    const child = spawn('/usr/bin/python3', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child, 'spawn');
    const started = new OdilScp(port, child);
    await started.ready();
    return started;
  }

  /** Resolves when it takes the next association. */
  async ready(): Promise<void> {
    while (!(await isListening(this.port))) {
      assert.equal(this.#child.exitCode, null, 'odil ended before it listened');
      await delay(10);
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    // It waits in the library, where Python's own handling of other signals is not reached.
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
