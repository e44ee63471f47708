import type { LogDriver, LogMember, MemberEvents } from '../driver.js';

/** The same driver, some of it changed. Written out, since drivers may be classes. */
export function driverOf(driver: LogDriver, changes: Partial<LogDriver>): LogDriver {
  return {
    name: driver.name,
    ensureTopics: (topics) => driver.ensureTopics(topics),
    append: (topic, records) => driver.append(topic, records),
    join: (request, events) => driver.join(request, events),
    topics: () => driver.topics(),
    lag: (group) => driver.lag(group),
    clockOffsetMs: () => driver.clockOffsetMs(),
    ping: () => driver.ping(),
    close: () => driver.close(),
    ...changes,
  };
}

export function memberOf(member: LogMember, changes: Partial<LogMember>): LogMember {
  return {
    sessionTimeoutMs: member.sessionTimeoutMs,
    lastHeartbeatMs: () => member.lastHeartbeatMs(),
    health: () => member.health(),
    pause: (partitions) => member.pause(partitions),
    resume: (partitions) => member.resume(partitions),
    commit: (positions) => member.commit(positions),
    leave: () => member.leave(),
    ...changes,
  };
}

export function eventsOf(events: MemberEvents): MemberEvents {
  return {
    assigned: (assignments) => events.assigned(assignments),
    revoked: (partitions, how) => events.revoked(partitions, how),
    deliver: (assignment, records) => events.deliver(assignment, records),
    crashed: (reason) => events.crashed(reason),
  };
}
