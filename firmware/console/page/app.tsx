/** Who is in front of the page decides what it shows: login, own password, console. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { Me } from '../../src/http/contract.ts';
import { api, ApiError } from './api.ts';
import { Console } from './console.tsx';
import { Login } from './login.tsx';
import { SetPassword } from './set-password.tsx';
import { Problem, type Refusal, toRefusal } from './problem.tsx';
import { Shield } from './shield.tsx';

export function App() {
  const [me, setMe] = useState<Me | null>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  /** The password of this login, so that the box's own need not be typed twice; gone with the page. */
  const [typed, setTyped] = useState('');

  const refresh = useCallback(async () => {
    try {
      setMe(await api.me());
      setRefusal(null);
    } catch (error) {
      setRefusal(toRefusal(error));
    }
  }, []);
  const lookAgain = useCallback(() => void refresh(), [refresh]);
  useEffect(lookAgain, [lookAgain]);

  if (me === null) {
    return refusal === null ? null : (
      <Shield title="Hilum">
        <Problem refusal={refusal} />
        <button type="button" class="primary" onClick={lookAgain}>
          Try again
        </button>
      </Shield>
    );
  }
  const { account } = me;
  if (account === null) {
    const onLogin = async (name: string, password: string) => {
      await api.login(name, password);
      setTyped(password);
      await refresh();
    };
    return <Login institution={me.institution.name} onLogin={onLogin} />;
  }
  if (account.mustChangePassword) {
    const onChange = async (current: string, next: string) => {
      await api.changePassword(current, next);
      setTyped('');
      await refresh();
    };
    return (
      <SetPassword
        account={account.name}
        current={typed}
        charactersMin={me.passwordCharactersMin}
        onChange={onChange}
      />
    );
  }
  const onLogout = async () => {
    try {
      await api.logout();
    } catch (error) {
      // Whose session has ended already is out; anything else must be seen.
      if (!(error instanceof ApiError) || error.code !== 'NOT_AUTHENTICATED') setRefusal(toRefusal(error));
    }
    await refresh();
  };
  return (
    <Console account={account} refusal={refusal} onLogout={() => void onLogout()} onLookAgain={lookAgain} />
  );
}
