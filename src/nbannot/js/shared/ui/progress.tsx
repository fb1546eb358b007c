import { count, duration } from "../text.ts";

export interface Progress {
	stage: string;
	done: number;
	total: number | null;
	unit: string;
	fraction: number | null;
	seconds_left: number | null;
}

/** What is being done, how far it is, how long it still takes. Same height in all its states. */
export function ProgressBar({ progress, name }: { progress: Partial<Progress>; name: string }) {
	const { stage, done = 0, total, unit = "", seconds_left } = progress;
	const fraction = progress.fraction ?? null;
	const percent = fraction === null ? undefined : Math.floor(fraction * 100);
	const amount = total
		? `${count(done)} of ${count(total)} ${unit}`
		: done > 0
			? `${count(done)} ${unit}`
			: "";
	const left =
		seconds_left != null && seconds_left > 1 ? `about ${duration(seconds_left)} left` : "";
	return (
		<div class="nbannot-progress">
			<div class="nbannot-progress-text">
				<span>{stage || name}</span>
				<span class="nbannot-muted nbannot-figures">
					{[amount.trim(), left].filter(Boolean).join(" · ")}
				</span>
			</div>
			<div
				role="progressbar"
				aria-label={stage || name}
				aria-valuemin={0}
				aria-valuemax={100}
				aria-valuenow={percent}
				aria-valuetext={[percent === undefined ? "" : `${percent} %`, left]
					.filter(Boolean)
					.join(", ")}
				class={`nbannot-track ${percent === undefined ? "nbannot-indeterminate" : ""}`}
			>
				<div
					class="nbannot-fill"
					style={{ width: fraction === null ? undefined : `${fraction * 100}%` }}
				/>
			</div>
		</div>
	);
}
