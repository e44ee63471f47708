export const invariants = {
  I1: 'every 2xx receipt has a run',
  I2: 'one effect per event and step; `never` is not resent after a doubt',
  I3: 'a step is sent only after the result before it was committed, an ordered one in its turn',
  I4: 'no group commits an offset past a record that is not taken care of',
  I5: 'every run is in exactly one state, and none is stuck',
  I6: 'nothing of one organisation is shown to another',
  I7: 'no more calls in a provider\'s window than its limit, and nothing new for what is paused',
} as const;
export type Invariant = keyof typeof invariants;

export interface Breach {
  readonly invariant: Invariant;
  readonly says: string;
  /** Whose history is shown. */
  readonly runId: string | null;
  readonly eventId: string | null;
}

/** How much one invariant was held against, and what broke it. */
export interface Finding {
  readonly invariant: Invariant;
  readonly checked: number;
  readonly note: string;
  readonly breaches: readonly Breach[];
}
