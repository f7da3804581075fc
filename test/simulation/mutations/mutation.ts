// A deliberate mistake: a change of the source text that the simulation must catch, so that its silence means
// something.
//
// Promise: nothing of this is in the product; the changes are made while a file is loaded (`../mutant-loader.ts`), and
// one that no longer fits the source is an error.

export interface Patch {
  /** From the project's root. */
  readonly file: string;
  /** Is in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutation {
  readonly name: string;
  /** The mistake, as one would say it. */
  readonly mistake: string;
  /** It is caught by one of the seeds from 1 to this one. */
  readonly seeds: number;
  /**
   * What plays it: the simulation, a crowd of stuck segments (`../crowd.ts`), one schedule (`../later-view.ts`), a
   * stream and its producers (`../streams.ts`), how a space ends (`../endings.ts`), a backup that is restored
   * (`../restores.ts`), a consumer and its workers (`../consumers/play.ts`), or redactions (`../redactions.ts`).
   */
  readonly play: "simulate" | "crowd" | "later view" | "streams" | "endings" | "restores" | "consumers" | "redactions";
  readonly patches: readonly Patch[];
}

export const azure = (file: string, find: string, replace: string): Patch => ({
  file: `src/store/azure/${file}.ts`,
  find,
  replace,
});
export const mutation = (name: string, seeds: number, mistake: string, ...patches: Patch[]): Mutation => ({
  name,
  mistake,
  seeds,
  play: "simulate",
  patches,
});
/** One that the seeds do not see, or see too seldom: a schedule is played on purpose. */
export const played = (play: Mutation["play"], name: string, mistake: string, ...patches: Patch[]): Mutation => ({
  name,
  mistake,
  seeds: 1,
  play,
  patches,
});
/** One that seeds of another play see. */
export const playedBySeeds = (
  play: Mutation["play"],
  name: string,
  seeds: number,
  mistake: string,
  ...patches: Patch[]
): Mutation => ({ name, mistake, seeds, play, patches });
