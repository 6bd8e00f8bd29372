import type { Case, Figures, Participant, Result } from "./model.js";

/** Lets the participants take turns, another one first each time, so that none has the quieter minute or the warmer cache. */
export async function takeTurns(
  name: string,
  { participants, measures, rounds, warmUps = 0 }: Case,
  onTurn: (participant: Participant, round: number) => void = () => {},
): Promise<readonly Result[]> {
  const taken = new Map<Participant, Figures[]>(participants.map((one) => [one, []]));
  for (let round = 0; round < warmUps + rounds; round++)
    for (const participant of rotated(participants, round)) {
      onTurn(participant, round);
      const figures = await participant.turn();
      if (round >= warmUps) taken.get(participant)?.push(figures);
    }
  return participants.flatMap((participant) =>
    measures
      .filter((measure) => taken.get(participant)?.some((figures) => measure.name in figures))
      .map((measure) => ({
        case: name,
        group: participant.group ?? "",
        measure,
        participant: participant.name,
        isReference: participant.isReference === true,
        remark: participant.remark ?? "",
        target: participant.targets?.[measure.name] ?? null,
        values: (taken.get(participant) ?? []).map((figures) => requireFigure(name, participant, figures, measure.name)),
      })),
  );
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  return list.map((_, index) => list[(index + by) % list.length] as T);
}

function requireFigure(name: string, participant: Participant, figures: Figures, measure: string): number {
  const value = figures[measure];
  if (value === undefined || !Number.isFinite(value))
    throw new Error(`${name}: ${participant.name} has no figure for "${measure}" (${value})`);
  return value;
}
