/** How long a condition is waited for that is met within a second on a quiet machine: the matrix also runs where dozens of processes share two cores. */
export const patienceMs = 60_000;
