/** No room on the disk, or no more for this user, or it may only be read: it is sound, and may take more later. */
export function takesNothing(cause: unknown): boolean {
  return (
    cause instanceof Error && 'code' in cause && ['ENOSPC', 'EDQUOT', 'EROFS'].includes(String(cause.code))
  );
}
