// Checks a log that osel serves or has exported with the library of Go's checksum database: signed notes, the tree and its proofs
// as other people wrote them.
//
//	check -key VERIFIER-KEY -log DIRECTORY|URL [-since FILE] [-keep FILE] [PROOF...]
//
// All of the log up to its checkpoint is fetched. The tree is built from the entries, and every tile of it, full or partial, is
// compared with the one that is served. A PROOF is what `osel audit prove` or `osel log prove` printed, in JSON, or as C2SP's
// tlog-proof in a file that ends so; each is checked, and compared with the proof that Go makes. -since names an earlier checkpoint,
// which the log has to go on from; -keep writes the one that was checked. One line of JSON tells what was checked.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

var errNotThere = errors.New("not there")

func main() {
	key := flag.String("key", "", "the verifier key")
	where := flag.String("log", "", "the directory or URL above `checkpoint`")
	since := flag.String("since", "", "an earlier checkpoint")
	keep := flag.String("keep", "", "where the checkpoint is written")
	flag.Parse()
	if err := check(*key, *where, *since, *keep, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(key, where, since, keep string, proofs []string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return fmt.Errorf("the key: %w", err)
	}
	served, err := get(where, "checkpoint")
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	head, err := open(served, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	log := &Log{where: where, tree: head}
	if err := log.fetchEntries(); err != nil {
		return err
	}
	root, err := tlog.TreeHash(head.N, log)
	if err != nil {
		return err
	}
	if root != head.Hash {
		return fmt.Errorf("the entries' tree of %d has the root %v, signed is %v", head.N, root, head.Hash)
	}
	tiles, err := log.compareTiles()
	if err != nil {
		return err
	}
	if since != "" {
		if err := log.growsFrom(since, verifier); err != nil {
			return fmt.Errorf("since %s: %w", since, err)
		}
	}
	for _, proof := range proofs {
		if err := log.checkProof(proof, verifier); err != nil {
			return fmt.Errorf("%s: %w", proof, err)
		}
	}
	if keep != "" {
		if err := os.WriteFile(keep, served, 0o600); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"size": head.N, "root": hex.EncodeToString(root[:]), "tiles": tiles, "partial": log.partial, "proofs": len(proofs),
	})
}

// open checks a signed checkpoint, whose origin is the name of the key.
func open(bytes []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(bytes, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("%d lines", len(lines))
	}
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("the origin is %q, the key is that of %q", lines[0], verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("the size is %q", lines[1])
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

// Log is a log that was fetched: the hashes of its tree, made from its entries.
type Log struct {
	where   string
	tree    tlog.Tree
	hashes  []tlog.Hash
	partial []string
}

// ReadHashes gives hashes of the tree by Go's numbers.
func (log *Log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, index := range indexes {
		if index < 0 || index >= int64(len(log.hashes)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		found = append(found, log.hashes[index])
	}
	return found, nil
}

func (log *Log) fetchEntries() error {
	for first := int64(0); first < log.tree.N; first += width {
		bundle, err := log.tile(tlog.Tile{H: height, L: -1, N: first / width, W: int(min(width, log.tree.N-first))})
		if err != nil {
			return err
		}
		for record := first; record < min(first+width, log.tree.N); record++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("the bundle ends within record %d", record)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			stored, err := tlog.StoredHashes(record, bundle[2:end], log)
			if err != nil {
				return err
			}
			log.hashes = append(log.hashes, stored...)
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return fmt.Errorf("the bundle of record %d has more than it should", first)
		}
	}
	return nil
}

// compareTiles fetches every tile of the tree, and says how many there are.
func (log *Log) compareTiles() (int, error) {
	count := 0
	for level := 0; log.tree.N>>(height*level) > 0; level++ {
		nodes := log.tree.N >> (height * level)
		for first := int64(0); first < nodes; first += width {
			tile := tlog.Tile{H: height, L: level, N: first / width, W: int(min(width, nodes-first))}
			wanted, err := tlog.ReadTileData(tile, log)
			if err != nil {
				return 0, err
			}
			found, err := log.tile(tile)
			if err != nil {
				return 0, err
			}
			if !bytes.Equal(found, wanted) {
				return 0, fmt.Errorf("%s is not that of the entries", path(tile))
			}
			count++
		}
	}
	return count, nil
}

// growsFrom proves from the served tiles alone, as a monitor does, that the log goes on from an earlier checkpoint.
func (log *Log) growsFrom(since string, verifier note.Verifier) error {
	bytes, err := os.ReadFile(since)
	if err != nil {
		return err
	}
	old, err := open(bytes, verifier)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(log.tree.N, old.N, tlog.TileHashReader(log.tree, log))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, log.tree.N, log.tree.Hash, old.N, old.Hash)
}

// Height, ReadTiles and SaveTiles make the log a reader of tiles.
func (log *Log) Height() int { return height }

// ReadTiles fetches tiles.
func (log *Log) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := log.tile(tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// SaveTiles keeps nothing.
func (log *Log) SaveTiles([]tlog.Tile, [][]byte) {}

// tile fetches a tile; a partial one that is not there any more is the beginning of the full one.
func (log *Log) tile(tile tlog.Tile) ([]byte, error) {
	data, err := get(log.where, path(tile))
	if errors.Is(err, errNotThere) && tile.W < width && tile.L >= 0 {
		full := tile
		full.W = width
		data, err = get(log.where, path(full))
		if err == nil && len(data) >= tile.W*tlog.HashSize {
			data = data[:tile.W*tlog.HashSize]
		}
	} else if err == nil && tile.W < width {
		log.partial = append(log.partial, path(tile))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path(tile), err)
	}
	return data, nil
}

// path is C2SP's, which has no height and says `entries`.
func path(tile tlog.Tile) string {
	return strings.Replace(strings.TrimPrefix(tile.Path(), "tile/8/"), "data/", "entries/", 1)
}

func get(where, path string) ([]byte, error) {
	if path != "checkpoint" {
		path = "tile/" + path
	}
	if !strings.HasPrefix(where, "http://") {
		data, err := os.ReadFile(filepath.Join(where, path))
		if errors.Is(err, os.ErrNotExist) {
			err = errNotThere
		}
		return data, err
	}
	answer, err := http.Get(where + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return nil, errNotThere
	}
	kind, cache := "application/octet-stream", "immutable"
	if path == "checkpoint" {
		kind, cache = "text/plain; charset=utf-8", "max-age=1"
	}
	head := answer.Header
	if answer.StatusCode != http.StatusOK || head.Get("Content-Type") != kind || !strings.Contains(head.Get("Cache-Control"), cache) {
		return nil, fmt.Errorf("%s, %v", answer.Status, head)
	}
	return io.ReadAll(answer.Body)
}

// Printed is a proof in JSON: that record seq is in the tree, or that the tree goes on from another.
type Printed struct {
	Seq       int64    `json:"seq"`
	Index     int64    `json:"index"`
	LeafHash  string   `json:"leaf_hash"`
	SinceSize *int64   `json:"since_size"`
	SinceRoot string   `json:"since_root_hash"`
	Size      int64    `json:"tree_size"`
	Root      string   `json:"root_hash"`
	Path      []string `json:"path"`
}

func (log *Log) checkProof(file string, verifier note.Verifier) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if strings.HasSuffix(file, ".tlog-proof") {
		return log.checkText(string(text), verifier)
	}
	var proof Printed
	if err := json.Unmarshal(text, &proof); err != nil {
		return err
	}
	path := make([]tlog.Hash, 0, len(proof.Path))
	for _, text := range proof.Path {
		path = append(path, unhex(text))
	}
	if proof.SinceSize == nil {
		if proof.Seq != proof.Index+1 {
			return fmt.Errorf("record %d is leaf %d", proof.Seq, proof.Index)
		}
		return log.checkRecord(path, proof.Size, unhex(proof.Root), proof.Index, unhex(proof.LeafHash))
	}
	old, root, oldRoot := *proof.SinceSize, unhex(proof.Root), unhex(proof.SinceRoot)
	if err := tlog.CheckTree(path, proof.Size, root, old, oldRoot); err != nil {
		return err
	}
	own, err := tlog.ProveTree(proof.Size, old, log)
	if err != nil {
		return err
	}
	hash, err := tlog.TreeHash(proof.Size, log)
	if err != nil {
		return err
	}
	oldHash, err := tlog.TreeHash(old, log)
	if err != nil {
		return err
	}
	if hash != root || oldHash != oldRoot || !same(path, own) {
		return errors.New("it is not the proof of this log")
	}
	return nil
}

func (log *Log) checkRecord(path []tlog.Hash, size int64, root tlog.Hash, index int64, leaf tlog.Hash) error {
	if err := tlog.CheckRecord(path, size, root, index, leaf); err != nil {
		return err
	}
	own, err := tlog.ProveRecord(size, index, log)
	if err != nil {
		return err
	}
	hash, err := tlog.TreeHash(size, log)
	if err != nil {
		return err
	}
	if hash != root || log.hashes[tlog.StoredHashIndex(0, index)] != leaf || !same(path, own) {
		return errors.New("it is not the proof of this log")
	}
	return nil
}

// checkText checks C2SP's tlog-proof.
func (log *Log) checkText(text string, verifier note.Verifier) error {
	head, signed, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return errors.New("it is no tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var path []tlog.Hash
	for _, line := range lines[2:] {
		bytes, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(bytes) != tlog.HashSize {
			return fmt.Errorf("%q is no hash", line)
		}
		path = append(path, *(*tlog.Hash)(bytes))
	}
	tree, err := open([]byte(signed), verifier)
	if err != nil {
		return err
	}
	if index >= log.tree.N {
		return fmt.Errorf("the log has no leaf %d", index)
	}
	return log.checkRecord(path, tree.N, tree.Hash, index, log.hashes[tlog.StoredHashIndex(0, index)])
}

func same(one, other []tlog.Hash) bool {
	return len(one) == 0 && len(other) == 0 || reflect.DeepEqual(one, other)
}

func unhex(text string) (hash tlog.Hash) {
	bytes, err := hex.DecodeString(text)
	if err == nil && len(bytes) == tlog.HashSize {
		copy(hash[:], bytes)
	}
	return hash
}

func min(one, other int64) int64 {
	if one < other {
		return one
	}
	return other
}
