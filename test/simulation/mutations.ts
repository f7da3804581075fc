// All deliberate mistakes.

import { committing } from "./mutations/committing.ts";
import { answering, knowing } from "./mutations/deciding.ts";
import { applying, owning, settling } from "./mutations/finishing.ts";
import { compacting } from "./mutations/compacting.ts";
import { consuming } from "./mutations/consuming.ts";
import { endingMistakes } from "./mutations/ending.ts";
import { redactingMistakes } from "./mutations/redacting.ts";
import type { Mutation } from "./mutations/mutation.ts";
import { reading } from "./mutations/reading.ts";
import { streaming } from "./mutations/streaming.ts";
import { trimming } from "./mutations/trimming.ts";
import { restoringMistakes } from "./mutations/restoring.ts";
import { recovering } from "./mutations/recovering.ts";

export const mutations: readonly Mutation[] = [
  ...committing,
  ...knowing,
  ...answering,
  ...applying,
  ...owning,
  ...settling,
  ...recovering,
  ...reading,
  ...trimming,
  ...compacting,
  ...streaming,
  ...endingMistakes,
  ...restoringMistakes,
  ...consuming,
  ...redactingMistakes,
];
