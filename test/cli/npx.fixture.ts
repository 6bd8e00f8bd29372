import { whenNpxIsGone } from "../../src/cli/parent.js";

whenNpxIsGone(() => {
  console.log("gone");
  process.exit(0);
});
setTimeout(() => {
  console.log("still here");
  process.exit(1);
}, 20_000);
console.log(`up ${process.ppid}`);
