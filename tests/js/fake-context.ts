/** A 2d context that writes down what is drawn on it. */

export interface Drawn {
	call: string;
	args: unknown[];
	stroke: string;
	fill: string;
	alpha: number;
	dash: number[];
}

export function fakeContext() {
	const drawn: Drawn[] = [];
	const state = {
		strokeStyle: "",
		fillStyle: "",
		globalAlpha: 1,
		lineWidth: 1,
		dash: [] as number[],
	};
	const saved: (typeof state)[] = [];
	const record =
		(call: string) =>
		(...args: unknown[]) => {
			const { strokeStyle: stroke, fillStyle: fill, globalAlpha: alpha, dash } = state;
			drawn.push({ call, args, stroke, fill, alpha, dash });
		};
	const methods: Record<string, unknown> = {
		setLineDash: (dash: number[]) => {
			state.dash = dash;
		},
		measureText: (text: string) => ({ width: text.length * 6 }),
		save: () => saved.push({ ...state }),
		restore: () => Object.assign(state, saved.pop()),
	};
	const context = new Proxy(state, {
		get: (target, key: string) =>
			key in target ? target[key as keyof typeof state] : (methods[key] ?? record(key)),
		set: (target, key: string, value) => Reflect.set(target, key, value),
	});
	return {
		context: context as unknown as CanvasRenderingContext2D,
		drawn,
		calls: (name: string) => drawn.filter(({ call }) => call === name),
	};
}
