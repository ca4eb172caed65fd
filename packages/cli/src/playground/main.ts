// Entry point of `npm run playground`.

process.stdout.write('redrover playground: not here yet\n');
