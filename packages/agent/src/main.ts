/**
 * Entry point of redrover-agent. A mover is another program in the same bundle: it lives beside the
 * databases whose keys it moves, so it loads nothing of the agent.
 */
const program =
  process.argv[2] === 'mover'
    ? (await import('./migrate/mover/mover-command.ts')).runMoverCommand
    : (await import('./command-line.ts')).runCommandLine;

process.exit(await program());
