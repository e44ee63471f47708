import type { fetchV17, listOffsetsV9, offsetFetchV9 } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GroupSessionEvents } from '../kafka/kafka-client.js';
import type { Settings } from '../kafka/options.js';
import { readPartition } from './records.js';
import { Wire, retryDelayMs } from './wire.js';

const MAX_FETCH_BYTES = 8 * 1024 * 1024;
const MAX_PARTITION_BYTES = 1024 * 1024;
/** How long a fetch waits at the broker for something to read. An assignment that ends cuts it short. */
const IDLE_WAIT_MS = 500;
/** Kafka protocol: isolation level of a fetch, time stamp that asks for the first offset, error codes. */
const READ_COMMITTED = 1;
const EARLIEST = -2n;
const OFFSET_OUT_OF_RANGE = 1;

interface Reading {
  readonly topic: string;
  readonly partition: number;
  /** Of the next record. */
  position: bigint;
  isPaused: boolean;
}

/** What one assignment reads. A later one has an object of its own, so that a fetch of the earlier changes nothing. */
interface Round {
  readonly readings: ReadonlyMap<string, Reading>;
  /** Leaders with a fetch under way; one each. */
  readonly fetching: Set<number>;
  failures: number;
  /** A fetch has ended or a partition may be read again. */
  isChanged: boolean;
  wake: () => void;
}

/** Reads the partitions of the current assignment: from each leader one fetch at a time, of what is not paused. */
export class Fetcher {
  private round: Round | null = null;
  private assignment: object | null = null;
  private readonly pausedBefore = new Set<string>();
  private fetchedAtMs = performance.now();
  private readonly wire: Wire;

  constructor(
    private readonly settings: Settings,
    private readonly group: string,
    /** On which offsets are asked for. Fetches wait at the broker and have connections of their own. */
    private readonly questions: Wire,
    private readonly events: Pick<GroupSessionEvents, 'records'>,
  ) {
    this.wire = new Wire(settings, 'fetcher', { requestTimeoutMs: settings.requestTimeoutMs + IDLE_WAIT_MS });
  }

  /** Now, while there is nothing to fetch. */
  get lastFetchMs(): number {
    const isReading = this.assignment !== null && (this.round === null || this.round.fetching.size > 0);
    return isReading ? this.fetchedAtMs : performance.now();
  }

  start(assignment: Readonly<Record<string, readonly number[]>>): void {
    const own = {};
    this.assignment = own;
    this.fetchedAtMs = performance.now();
    this.begin(assignment, own).catch(() => undefined);
  }

  /** Ends the assignment. */
  stop(): void {
    const { round } = this;
    this.assignment = null;
    this.round = null;
    this.pausedBefore.clear();
    if (round === null) return;
    // The broker reads a connection's next request when it has answered the one before.
    if (round.fetching.size > 0) this.wire.reconnect();
    signal(round);
  }

  destroy(): void {
    this.stop();
    this.wire.destroy();
  }

  pause(topic: string, partition: number): void {
    const place = `${topic}/${partition}`;
    const reading = this.round?.readings.get(place);
    if (reading === undefined) this.pausedBefore.add(place);
    else reading.isPaused = true;
  }

  resume(topic: string, partition: number): void {
    const place = `${topic}/${partition}`;
    const reading = this.round?.readings.get(place);
    this.pausedBefore.delete(place);
    if (reading === undefined || this.round === null) return;
    reading.isPaused = false;
    signal(this.round);
  }

  /** Where the group stands, asked until it is known: a member that reads nothing would hold up its partitions. */
  private async begin(assignment: Readonly<Record<string, readonly number[]>>, own: object): Promise<void> {
    for (let failures = 0; this.assignment === own; failures += 1) {
      try {
        const positions = await this.positions(assignment);
        if (this.assignment !== own) return;
        const readings = positions.map((one) => [`${one.topic}/${one.partition}`, { ...one, isPaused: this.pausedBefore.has(`${one.topic}/${one.partition}`) }] as const);
        this.round = { readings: new Map(readings), fetching: new Set(), failures: 0, isChanged: false, wake: () => undefined };
        return await this.run(this.round);
      } catch {
        // Whatever it was: the session's heartbeats say whether this member still counts.
        this.questions.forget();
        await sleep(retryDelayMs(failures));
      }
    }
  }

  private async positions(assignment: Readonly<Record<string, readonly number[]>>): Promise<readonly Omit<Reading, 'isPaused'>[]> {
    const topics = Object.entries(assignment).map(([name, partitionIndexes]) => ({ name, partitionIndexes: [...partitionIndexes] }));
    if (topics.length === 0) return [];
    const coordinator = await this.questions.coordinatorOf(this.group);
    const groups = [{ groupId: this.group, memberId: null, memberEpoch: -1, topics }];
    const answer = await this.questions.call<offsetFetchV9.OffsetFetchRequest, offsetFetchV9.OffsetFetchResponse>('OffsetFetch', coordinator, groups, false);
    const stored = answer.groups.flatMap((group) => group.topics.flatMap(({ name, partitions }) => partitions.map(({ partitionIndex, committedOffset }) => ({ topic: name, partition: partitionIndex, position: committedOffset }))));
    return Promise.all(stored.map(async (one) => (one.position >= 0n ? one : { ...one, position: await this.earliest(one.topic, one.partition) })));
  }

  private async earliest(topic: string, partition: number): Promise<bigint> {
    const leader = (await this.questions.layoutOf([topic])).get(topic)?.leaders[partition] ?? -1;
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: EARLIEST }];
    const answer = await this.questions.call<listOffsetsV9.ListOffsetsRequest, listOffsetsV9.ListOffsetsResponse>('ListOffsets', await this.questions.node(leader), -1, READ_COMMITTED, [{ name: topic, partitions }]);
    return answer.topics[0]?.partitions[0]?.offset ?? 0n;
  }

  private async run(round: Round): Promise<void> {
    while (this.round === round) {
      await this.startFetches(round).catch(() => this.rest(round).then(() => signal(round)));
      await changed(round);
    }
  }

  /** At every leader that has none under way and something to read. */
  private async startFetches(round: Round): Promise<void> {
    const wanted = [...round.readings.values()].filter(({ isPaused }) => !isPaused);
    if (wanted.length === 0) return;
    const layouts = await this.wire.layoutOf([...new Set(wanted.map(({ topic }) => topic))]);
    for (const [leader, readings] of Map.groupBy(wanted, ({ topic, partition }) => layouts.get(topic)?.leaders[partition] ?? -1)) {
      if (round.fetching.has(leader)) continue;
      round.fetching.add(leader);
      void this.fetch(round, leader, readings).finally(() => {
        round.fetching.delete(leader);
        signal(round);
      });
    }
  }

  private async fetch(round: Round, leader: number, readings: readonly Reading[]): Promise<void> {
    try {
      const layouts = await this.wire.layoutOf([...new Set(readings.map(({ topic }) => topic))]);
      const names = new Map([...layouts].map(([name, { id }]) => [id, name]));
      const topics = [...Map.groupBy(readings, ({ topic }) => topic)].map(([topic, list]) => ({
        topicId: layouts.get(topic)?.id ?? '',
        partitions: list.map(({ partition, position }) => ({ partition, currentLeaderEpoch: -1, fetchOffset: position, lastFetchedEpoch: -1, partitionMaxBytes: MAX_PARTITION_BYTES })),
      }));
      // What is paused now may be wanted again soon, and can join the next fetch only.
      const waitMs = [...round.readings.values()].some(({ isPaused }) => isPaused) ? this.settings.fetchWaitMs : IDLE_WAIT_MS;
      const response = await this.wire.call<fetchV17.FetchRequest, fetchV17.FetchResponse>('Fetch', await this.wire.node(leader), waitMs, 1, MAX_FETCH_BYTES, READ_COMMITTED, 0, -1, topics, [], '');
      this.fetchedAtMs = performance.now();
      round.failures = 0;
      this.take(round, response, names);
    } catch (error) {
      await this.cope(round, error);
    }
  }

  private take(round: Round, { responses }: fetchV17.FetchResponse, names: ReadonlyMap<string, string>): void {
    for (const { topicId, partitions } of responses) {
      const topic = names.get(topicId);
      for (const answer of partitions) {
        const reading = topic === undefined ? undefined : round.readings.get(`${topic}/${answer.partitionIndex}`);
        if (topic === undefined || reading === undefined || this.round !== round || answer.errorCode !== 0) continue;
        const { records, next } = readPartition(topic, answer, reading.position);
        reading.position = next;
        if (records.length > 0) this.events.records(topic, answer.partitionIndex, records);
      }
    }
  }

  /** Nothing that goes wrong with a fetch ends the session: whether reading stands still is for the stall watch to say. */
  private async cope(round: Round, error: unknown): Promise<void> {
    if (this.round !== round || this.wire.isDestroyed) return;
    const response = error instanceof Error && 'response' in error ? (error.response as fetchV17.FetchResponse | undefined) : undefined;
    if (response !== undefined) await this.startOver(round, response).catch(() => undefined);
    await this.rest(round);
  }

  /** What stood outside the log is read from its beginning: rather again than not at all. */
  private async startOver(round: Round, { responses }: fetchV17.FetchResponse): Promise<void> {
    const layouts = await this.wire.layoutOf([...new Set([...round.readings.values()].map(({ topic }) => topic))]);
    const lost = responses.flatMap(({ topicId, partitions }) => partitions.filter(({ errorCode }) => errorCode === OFFSET_OUT_OF_RANGE).map(({ partitionIndex }) => ({ topic: [...layouts].find(([, { id }]) => id === topicId)?.[0], partition: partitionIndex })));
    for (const { topic, partition } of lost) {
      const reading = topic === undefined ? undefined : round.readings.get(`${topic}/${partition}`);
      if (reading !== undefined) reading.position = await this.earliest(reading.topic, reading.partition);
    }
    this.wire.forget();
  }

  private async rest(round: Round): Promise<void> {
    this.wire.forget();
    await sleep(retryDelayMs((round.failures += 1)));
  }
}

function signal(round: Round): void {
  round.isChanged = true;
  round.wake();
}

async function changed(round: Round): Promise<void> {
  if (!round.isChanged) await new Promise<void>((resolve) => (round.wake = resolve));
  round.isChanged = false;
}
