/** A program of its own: gets the parameters as JSON on its standard input, and writes its result to its standard output. */
import { text } from "node:stream/consumers";

const parameters = JSON.parse((await text(process.stdin)) || "{}");
process.stdout.write(JSON.stringify({ loaded: true, parameters, run: process.env.HEADGATE_RUN_ID }));
