#!/usr/bin/env node
/** Entry point of `spanwire`. */
import { main } from './cli.ts';

await main(process.argv);
