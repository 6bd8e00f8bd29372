import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the real data of the package vega-datasets lies. */
export const DATA = fileURLToPath(new URL("../../node_modules/vega-datasets/data", import.meta.url));

async function save(output: string, name: string, result: object): Promise<object> {
  await mkdir(output, { recursive: true });
  await writeFile(join(output, name), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

async function rows(file: string): Promise<Record<string, string>[]> {
  const [head = "", ...lines] = (await readFile(file, "utf8")).trim().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((value, index) => [names[index] ?? "", value])));
}

function mean(values: readonly number[]): number {
  return Math.round((10 * values.reduce((sum, value) => sum + value, 0)) / values.length) / 10;
}

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return [...groups];
}

/** 2,000 real flights: the airports that leave latest. */
export async function flightDelays(output: string): Promise<object> {
  const flights = JSON.parse(await readFile(join(DATA, "flights-2k.json"), "utf8")) as { origin: string; delay: number }[];
  const airports = grouped(flights, ({ origin }) => origin)
    .filter(([, departures]) => departures.length >= 20)
    .map(([airport, departures]) => ({ airport, flights: departures.length, meanDelay: mean(departures.map(({ delay }) => delay)) }))
    .toSorted((a, b) => b.meanDelay - a.meanDelay);
  return save(output, "flight-delays.json", { flights: flights.length, worst: airports.slice(0, 3) });
}

/** Flights that arrive as a file: how many leave each airport, most first. */
export async function departures(file: string, output: string): Promise<object> {
  const pairs = await rows(file);
  const airports = grouped(pairs, ({ origin = "" }) => origin)
    .map(([origin, all]) => ({ origin, flights: all.reduce((sum, { count }) => sum + Number(count), 0) }))
    .toSorted((a, b) => b.flights - a.flights);
  return save(output, "departures.json", { routes: pairs.length, busiest: airports.slice(0, 3) });
}

/** Flights as a server publishes them: how many, and how late on average. */
export async function publishedFlights(url: string, output: string): Promise<object> {
  const flights = (await (await fetch(url)).json()) as { delay: number }[];
  return save(output, "published-flights.json", { flights: flights.length, meanDelay: mean(flights.map(({ delay }) => delay)) });
}

/** Four years of Seattle's weather: rain by year. */
export async function rainByYear(output: string): Promise<object> {
  const days = await rows(join(DATA, "seattle-weather.csv"));
  const years = grouped(days, ({ date = "" }) => date.slice(0, 4)).map(([year, all]) => ({
    year,
    rainyDays: all.filter(({ precipitation }) => Number(precipitation) > 0).length,
    meanHigh: mean(all.map(({ temp_max }) => Number(temp_max))),
  }));
  return save(output, "rain-by-year.json", { days: days.length, years });
}

/** Ten years of stock prices, from wherever their provider has put them. */
export async function stockReturns(input: string, output: string): Promise<object> {
  const prices = await rows(input);
  const symbols = grouped(prices, ({ symbol = "" }) => symbol).map(([symbol, all]) => {
    const [first, last] = [Number(all[0]?.price), Number(all.at(-1)?.price)];
    return { symbol, percent: Math.round((100 * (last - first)) / first) };
  });
  return save(output, "stock-returns.json", { prices: prices.length, symbols });
}
