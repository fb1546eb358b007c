/** The page to show: the old one stays until the new one is decoded, the next one is fetched ahead. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Page } from "../page.ts";
import { Pager } from "../pager.ts";
import { type LoadedPage, loadPictures } from "../pictures.ts";
import { asProblem, type Problem } from "../ui/notice.tsx";

export interface PageRequest {
	/** Everything that decides what a page holds, but `start`. */
	key: string;
	start: number;
	count: number;
	load: (start: number, signal: AbortSignal) => Promise<Page>;
}

export interface Shown extends LoadedPage {
	key: string;
	start: number;
}

/** Python may be reading, or the kernel busy: after this long we say that we wait. */
const SLOW_MS = 4000;

export function usePages({ key, start, count, load }: PageRequest) {
	const pager = useRef<Pager>(undefined);
	pager.current ??= new Pager();
	const [shown, setShown] = useState<Shown | null>(null);
	const [busy, setBusy] = useState(true);
	const [slow, setSlow] = useState(false);
	const [problem, setProblem] = useState<Problem | null>(null);
	const [attempt, setAttempt] = useState(0);

	const pages = pager.current;
	const name = (at: number) => `${key}@${at}`;
	const get = (at: number) =>
		pages.get(name(at), async (signal) => loadPictures(await load(at, signal)));

	useEffect(() => () => pages.clear(), []);

	// Before the browser paints, not after: a page is asked for a frame earlier.
	useLayoutEffect(() => {
		let wanted = true;
		const timer = setTimeout(() => setSlow(true), SLOW_MS);
		const settle = () => {
			clearTimeout(timer);
			setBusy(false);
			setSlow(false);
		};
		setBusy(true);
		get(start).then(
			(loaded) => {
				if (!wanted) return;
				settle();
				setProblem(null);
				setShown({ ...loaded, key, start });
				pages.trim([name(start), name(start + count)]);
			},
			(error: unknown) => {
				if (!wanted) return;
				settle();
				setProblem(asProblem(error));
			},
		);
		return () => {
			wanted = false;
			clearTimeout(timer);
		};
	}, [key, start, count, attempt]);

	/** Fetch the page after the one shown; called when that one is painted, not to be in its way. */
	const fetchAhead = () => {
		const next = start + count;
		if (shown?.start === start && shown.key === key && next < shown.page.total) {
			get(next).catch(() => undefined); // asked for again, and reported, when it is shown
		}
	};
	return { fetchAhead, shown, busy, slow, problem, retry: () => setAttempt(attempt + 1) };
}
