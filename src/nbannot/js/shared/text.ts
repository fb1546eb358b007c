/** Numbers in words for people: one place decides how they look. */

const WHOLE = new Intl.NumberFormat("en");

export function count(value: number): string {
	return WHOLE.format(value);
}

/** "1 item", "5,000 items". */
export function counted(value: number, one: string, many = `${one}s`): string {
	return `${count(value)} ${value === 1 ? one : many}`;
}

/** "19 MB": decimal units, as file managers show them. */
export function bytes(value: number | null): string {
	if (value === null) return "";
	if (value < 1000) return `${value} B`;
	const units = ["kB", "MB", "GB", "TB"];
	let scaled = value;
	let unit = "B";
	for (const next of units) {
		if (scaled < 999.5) break;
		scaled /= 1000;
		unit = next;
	}
	return `${scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)} ${unit}`;
}

/** "about 2 min": how long something still takes; coarse, so that it does not flicker. */
export function duration(seconds: number): string {
	if (seconds < 1) return "less than a second";
	if (seconds < 60) return `${Math.round(seconds)} s`;
	if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
	const hours = Math.floor(seconds / 3600);
	return `${hours} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** Last part of a path. */
export function baseName(path: string): string {
	return (
		path
			.replace(/[/\\]+$/, "")
			.split(/[/\\]/)
			.pop() || path
	);
}
