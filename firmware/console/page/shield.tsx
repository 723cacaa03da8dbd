/** The frame of the pages before the console: one card in the middle. */
import type { ComponentChildren } from 'preact';

interface ShieldProps {
  readonly title: string;
  readonly lead?: string;
  readonly children: ComponentChildren;
}

export function Shield({ title, lead, children }: ShieldProps) {
  return (
    <main class="shield">
      <div class="shield-card">
        <p class="brand">
          <img src="/icon.svg" alt="" width="28" height="28" /> Hilum
        </p>
        <h1>{title}</h1>
        {lead !== undefined && <p class="lead">{lead}</p>}
        {children}
      </div>
    </main>
  );
}
