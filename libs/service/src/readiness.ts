/** One thing a process cannot work without. */
export interface Dependency {
  readonly name: string;
  /** Rejects, or answers with a reason, when it is missing. */
  check(): Promise<string | null>;
}

export interface Readiness {
  readonly ready: boolean;
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
}

/** Asks all at once and waits at most `timeoutMs` for each, so that a hanging dependency is named like a missing one. */
export async function readinessOf(dependencies: readonly Dependency[], timeoutMs: number): Promise<Readiness> {
  const answers = await Promise.all(dependencies.map(async (dependency) => ({ name: dependency.name, reason: await reasonOf(dependency, timeoutMs) })));
  const missing = answers.flatMap(({ name, reason }) => (reason === null ? [] : [{ name, reason }]));
  return { ready: missing.length === 0, missing };
}

async function reasonOf(dependency: Dependency, timeoutMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${timeoutMs} ms`), timeoutMs);
  });
  try {
    return await Promise.race([dependency.check(), late]);
  } catch (error) {
    return shortReason(error);
  } finally {
    clearTimeout(timer);
  }
}

/** First line only: the page is read by machines and may be seen by strangers. */
function shortReason(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const message = 'message' in error ? String(error.message).split('\n')[0] : '';
  return message || ('code' in error ? String(error.code) : 'unknown');
}
