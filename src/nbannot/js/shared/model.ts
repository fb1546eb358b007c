/** Model-backed signals: state that Python and every view of a widget share. */
import type { AnyModel } from "@anywidget/types";
import { type ReadonlySignal, signal } from "@preact/signals";

export type Traits<M> = { readonly [K in keyof M]: ReadonlySignal<M[K]> };

/** Return a signal per trait in `names`; they follow the model until `lifetime` ends. */
export function traits<M extends Record<string, unknown>>(
	model: AnyModel<M>,
	names: readonly (keyof M & string)[],
	lifetime: AbortSignal,
): Traits<M> {
	const follow = (name: keyof M & string) => {
		const value = signal(model.get(name));
		const update = () => {
			value.value = model.get(name);
		};
		model.on(`change:${name}`, update);
		lifetime.addEventListener("abort", () => model.off(`change:${name}`, update));
		return [name, value];
	};
	return Object.fromEntries(names.map(follow)) as Traits<M>;
}

/** Set several traits in one message. */
export function write<M extends Record<string, unknown>>(
	model: AnyModel<M>,
	values: Partial<M>,
): void {
	for (const name of Object.keys(values)) model.set(name, values[name] as M[typeof name]);
	model.save_changes();
}
