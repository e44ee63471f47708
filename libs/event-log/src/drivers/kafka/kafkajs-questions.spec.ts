import { AssignerProtocol } from 'kafkajs';
import { topicsIn } from './kafkajs-questions.js';

describe('what a member of a group subscribes to', () => {
  it('is read from its metadata', () => {
    expect(topicsIn(AssignerProtocol.MemberMetadata.encode({ version: 1, topics: ['a', 'b'], userData: Buffer.alloc(0) }))).toEqual(['a', 'b']);
  });

  it('is unknown while the group rebalances, when the broker sends nothing', () => {
    expect(topicsIn(Buffer.alloc(0))).toEqual([]);
  });
});
