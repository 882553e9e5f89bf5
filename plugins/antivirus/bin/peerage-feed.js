#!/usr/bin/env node
/** Starts the compiled program of the publisher of a feed. */
import { main } from '../dist/product/command.js';

process.exitCode = await main(process.argv.slice(2), (text) => process.stdout.write(`${text}\n`));
