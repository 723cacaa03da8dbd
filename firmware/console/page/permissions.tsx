/** What callers may do, in words. */
import type { PermissionName } from '../../src/http/dicom-contract.ts';

export const permissionWords: Readonly<Record<PermissionName, string>> = {
  store: 'Send',
  query: 'Search',
  retrieve: 'Retrieve',
  commitment: 'Commitment',
  'procedure-step': 'Procedure steps',
  availability: 'Availability',
};

export const permissionHints: Readonly<Record<PermissionName, string>> = {
  store: 'objects by C-STORE',
  query: 'what the box holds, by C-FIND',
  retrieve: 'what the box holds, by C-MOVE and C-GET',
  commitment: 'asks for storage commitment',
  'procedure-step': 'reports what was performed, by MPPS',
  availability: 'notifies of instances in an archive',
};

export const permissionNames = Object.keys(permissionWords) as readonly PermissionName[];

export function Permissions({ may }: { readonly may: readonly PermissionName[] }) {
  if (may.length === 0) return <span class="badge">C-ECHO only</span>;
  return (
    <>
      {may.map((name) => (
        <span key={name} class="badge good" title={permissionHints[name]}>
          {permissionWords[name]}
        </span>
      ))}
    </>
  );
}
