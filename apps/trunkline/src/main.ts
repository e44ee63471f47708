import { armingIn } from '@trunkline/failpoints';
import { CommanderError } from 'commander';
import { exitCodeOf, exitCodes, explain } from './client/failure.js';
import { say } from './client/output.js';
import { buildProgram } from './program.js';

// A reader that has seen enough (`| head`) closes the pipe; that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  // A wrong TRUNKLINE_FAILPOINT is told before anything starts.
  armingIn(process.env);
  await buildProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  else {
    say(explain(error));
    process.exitCode = exitCodeOf(error);
  }
}
