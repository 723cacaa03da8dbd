/** Tells the box now and then that its person is still there, so that a session in use does not end. */
import { useEffect } from 'preact/hooks';

const tellMs = 5 * 60_000;

export function usePresence(tell: () => void): void {
  useEffect(() => {
    let toldAt = Date.now();
    const onAct = () => {
      if (Date.now() - toldAt < tellMs) return;
      toldAt = Date.now();
      tell();
    };
    addEventListener('pointerdown', onAct);
    addEventListener('keydown', onAct);
    return () => {
      removeEventListener('pointerdown', onAct);
      removeEventListener('keydown', onAct);
    };
  }, [tell]);
}
