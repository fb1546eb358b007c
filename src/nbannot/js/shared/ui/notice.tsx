import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";

export interface Problem {
	type: string;
	message: string;
	where: string;
	hint: string;
}

type Kind = "error" | "warning" | "info" | "good" | "empty";

const ICONS: Record<Kind, IconName> = {
	error: "error",
	warning: "warning",
	info: "info",
	good: "check",
	empty: "info",
};

/** A message that stands by itself: an error, a warning, or that there is nothing here. */
export function Notice({
	kind,
	title,
	children,
	actions,
}: {
	kind: Kind;
	title: ComponentChildren;
	children?: ComponentChildren;
	actions?: ComponentChildren;
}) {
	return (
		<div
			class={`nbannot-notice nbannot-notice-${kind}`}
			role={kind === "error" ? "alert" : undefined}
		>
			<Icon name={ICONS[kind]} />
			<div class="nbannot-notice-body">
				<p class="nbannot-notice-title">{title}</p>
				{children}
				{actions && <div class="nbannot-actions">{actions}</div>}
			</div>
		</div>
	);
}

/** An error of the Python side: what happened, where, and what to do. */
export function ErrorNotice({
	problem,
	actions,
}: {
	problem: Problem;
	actions?: ComponentChildren;
}) {
	return (
		<Notice kind="error" title={problem.message} actions={actions}>
			{problem.where && <p class="nbannot-where">{problem.where}</p>}
			{problem.hint && <p>{problem.hint}</p>}
		</Notice>
	);
}

/** Anything thrown, as what `ErrorNotice` shows. */
export function asProblem(error: unknown): Problem {
	const { name, message, type, where, hint } = error as Partial<Problem> & Error;
	return {
		type: type ?? name ?? "Error",
		message: message || String(error),
		where: where ?? "",
		hint:
			hint ?? (name === "NoReplyError" ? "Is the kernel running? It may be busy with a cell." : ""),
	};
}
