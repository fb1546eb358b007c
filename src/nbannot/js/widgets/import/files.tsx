/** The file picker: folders of the kernel's machine. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { moved, TypeAhead } from "../../shared/keys.ts";
import { bytes, count, counted } from "../../shared/text.ts";
import { Button, IconButton } from "../../shared/ui/button.tsx";
import { Combobox } from "../../shared/ui/combobox.tsx";
import { Icon } from "../../shared/ui/icon.tsx";
import { ErrorNotice, Notice, type Problem } from "../../shared/ui/notice.tsx";
import type { Entry, Place } from "./types.ts";

export interface FilesProps {
	location: string;
	parents: Place[];
	entries: Entry[];
	total: number;
	filter: string;
	problem: Problem | null;
	onLocation: (path: string) => void;
	onFilter: (text: string) => void;
	onChoose: (path: string) => void;
	onRefresh: () => void;
	complete: (text: string) => Promise<string[]>;
}

const PAGE = 10;

export function Files(props: FilesProps) {
	const { location, parents, entries, total, onLocation, onChoose } = props;
	return (
		<div class="nbannot-files">
			<div class="nbannot-files-bar">
				<Breadcrumb parents={parents} onLocation={onLocation} />
				<IconButton icon="refresh" name="List again" onClick={props.onRefresh} />
				<Button
					kind="secondary"
					disabled={!location}
					onClick={() => onChoose(location)}
					title={location}
				>
					Import this folder
				</Button>
			</div>
			<FilterBox text={props.filter} onText={props.onFilter} shown={entries.length} total={total} />
			{props.problem && <ErrorNotice problem={props.problem} />}
			<EntryList {...props} />
			<div class="nbannot-files-path">
				<Combobox
					name="Path or pattern"
					placeholder="Or type a path and press Enter"
					complete={props.complete}
					onSubmit={onChoose}
				/>
			</div>
		</div>
	);
}

function Breadcrumb({
	parents,
	onLocation,
}: {
	parents: Place[];
	onLocation: (p: string) => void;
}) {
	const bar = useRef<HTMLElement>(null);
	// The folder we are in is at the end: that is the part to see of a long path.
	useLayoutEffect(() => {
		if (bar.current) bar.current.scrollLeft = bar.current.scrollWidth;
	}, [parents]);
	return (
		<nav class="nbannot-breadcrumb" aria-label="Folder" ref={bar}>
			{parents.map((place, i) => {
				const here = i === parents.length - 1;
				return (
					<span key={place.path} class="nbannot-crumb">
						{i > 0 && <Icon name="right" size={10} />}
						<button
							type="button"
							aria-current={here ? "location" : undefined}
							onClick={() => !here && onLocation(place.path)}
						>
							{place.name}
						</button>
					</span>
				);
			})}
		</nav>
	);
}

function FilterBox({
	text,
	onText,
	shown,
	total,
}: {
	text: string;
	onText: (text: string) => void;
	shown: number;
	total: number;
}) {
	const [typed, setTyped] = useState(text);
	const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
	useEffect(() => setTyped(text), [text]);
	useEffect(() => () => clearTimeout(timer.current), []);
	return (
		<div class="nbannot-filter">
			<label class="nbannot-search">
				<Icon name="search" size={14} />
				<span class="nbannot-hidden">Filter by name</span>
				<input
					type="search"
					class="nbannot-input"
					placeholder="Filter"
					value={typed}
					onInput={(event) => {
						const value = event.currentTarget.value;
						setTyped(value);
						clearTimeout(timer.current);
						timer.current = setTimeout(() => onText(value), 200);
					}}
				/>
			</label>
			<span class="nbannot-muted nbannot-figures">
				{shown < total
					? `first ${count(shown)} of ${count(total)}: filter to find more`
					: counted(total, "entry", "entries")}
			</span>
		</div>
	);
}

function EntryList(props: FilesProps) {
	const { location, parents, entries, filter, problem, onLocation, onChoose } = props;
	const list = useRef<HTMLUListElement>(null);
	const [active, setActive] = useState(0);
	const typeAhead = useRef(new TypeAhead());
	/** Path to focus when the list of another folder comes; "": its first entry; null: none. */
	const focusNext = useRef<string | null>(null);
	const rows = () => [
		...(list.current?.querySelectorAll<HTMLElement>("button.nbannot-entry-main") ?? []),
	];
	const focus = (index: number) => {
		setActive(index);
		rows()[index]?.focus();
	};
	useLayoutEffect(() => {
		const came = focusNext.current;
		const at = came ? entries.findIndex((entry) => entry.path === came) : 0;
		setActive(Math.max(at, 0));
		if (came === null) return;
		focusNext.current = null;
		focus(Math.max(at, 0));
		if (entries.length === 0) list.current?.focus();
	}, [entries]);

	const enter = (entry: Entry) => {
		if (entry.kind !== "folder") return onChoose(entry.path);
		focusNext.current = "";
		onLocation(entry.path);
	};
	const up = () => {
		const parent = parents.at(-2);
		if (!parent) return;
		focusNext.current = location;
		onLocation(parent.path);
	};
	const onKeyDown = (event: KeyboardEvent) => {
		const { key } = event;
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const row = (event.target as HTMLElement).closest("li")?.querySelector<HTMLElement>("button");
		const at = row ? rows().indexOf(row) : active;
		const page = Number(key === "PageDown") - Number(key === "PageUp");
		const to =
			page === 0
				? moved(key, at, entries.length)
				: Math.min(Math.max(at + page * PAGE, 0), entries.length - 1);
		if (to !== null) focus(to);
		else if (key === "Backspace") up();
		else if (key.length === 1 && key !== " ") {
			const names = entries.map((entry) => entry.name);
			const found = typeAhead.current.find(key, names, at);
			if (found !== null) focus(found);
		} else return;
		event.preventDefault();
	};
	return (
		// The list itself takes focus only when it is empty, so that Backspace still leads up.
		<ul
			ref={list}
			class="nbannot-entries"
			aria-label="Files and folders"
			tabIndex={-1}
			onKeyDown={onKeyDown}
		>
			{entries.map((entry, i) => (
				<li key={entry.path} class="nbannot-entry">
					<button
						type="button"
						class="nbannot-entry-main"
						tabIndex={i === active ? 0 : -1}
						onFocus={() => setActive(i)}
						onClick={() => enter(entry)}
					>
						<Icon name={entry.note === "image" ? "image" : entry.kind} />
						<span class="nbannot-entry-name">{entry.name}</span>
						<span class="nbannot-entry-note nbannot-muted">
							{entry.note === "image" ? "" : entry.note}
						</span>
						<span class="nbannot-entry-size nbannot-muted nbannot-figures">
							{entry.kind === "folder"
								? entry.files === null
									? ""
									: counted(entry.files, "entry", "entries")
								: bytes(entry.size_bytes)}
						</span>
					</button>
					{entry.kind === "folder" && (
						<Button
							kind="quiet"
							class="nbannot-entry-choose"
							tabIndex={i === active ? 0 : -1}
							aria-label={`Import folder ${entry.name}`}
							onFocus={() => setActive(i)}
							onClick={() => onChoose(entry.path)}
						>
							Import
						</Button>
					)}
				</li>
			))}
			{entries.length === 0 && !problem && (
				<li class="nbannot-entries-empty">
					<Notice
						kind="empty"
						title={filter ? `Nothing here has “${filter}” in its name` : "This folder is empty"}
					/>
				</li>
			)}
		</ul>
	);
}
