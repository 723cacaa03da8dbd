/** A section of the console with its heading. */
import type { ComponentChildren } from 'preact';

interface PanelProps {
  readonly id: string;
  readonly title: string;
  /** Shown beside the title, e.g. how many there are; a change is announced. */
  readonly note?: string;
  readonly children: ComponentChildren;
}

export function Panel({ id, title, note, children }: PanelProps) {
  return (
    <section class="panel" aria-labelledby={`${id}-title`} id={id}>
      <div class="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        <p class="muted" role="status">
          {note}
        </p>
      </div>
      {children}
    </section>
  );
}
