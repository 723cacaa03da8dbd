/** A button for what cannot be taken back: it asks once more in its own place. */
import { useState } from 'preact/hooks';

interface ConfirmButtonProps {
  /** What it does: "Remove". */
  readonly verb: string;
  /** To what, for who cannot see the row that it stands in: "CT_ROOM_2". */
  readonly subject: string;
  readonly busy?: boolean;
  readonly onConfirm: () => void;
}

export function ConfirmButton({ verb, subject, busy = false, onConfirm }: ConfirmButtonProps) {
  const [asked, setAsked] = useState(false);
  const confirm = () => {
    setAsked(false);
    onConfirm();
  };
  return asked ? (
    <button
      type="button"
      class="quiet danger"
      disabled={busy}
      onClick={confirm}
      onBlur={() => setAsked(false)}
    >
      Really {verb.toLowerCase()} {subject}
    </button>
  ) : (
    <button
      type="button"
      class="quiet"
      disabled={busy}
      aria-label={`${verb} ${subject}`}
      onClick={() => setAsked(true)}
    >
      {verb}
    </button>
  );
}
