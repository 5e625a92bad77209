// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

// Checks a log written by Weiche with the reference code of Go's checksum database.
//
// Usage: oracle DIR VKEY, where DIR has
//
//	log/            a tile directory with up to 65,536 entries
//	*.tlog-proof    receipts of its entries
//	consistency     lines "older-size root hash hash ..."
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := check(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(dir, vkey string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(filepath.Join(dir, "log/checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(signed, verifier)
	if err != nil {
		return err
	}

	// Rebuild the log from its entries alone.
	var stored hashes
	var leaves []tlog.Hash
	for n := int64(0); n*256 < tree.N; n++ {
		bundle, err := os.ReadFile(filepath.Join(dir, "log", tilePath("entries", n, tree.N)))
		if err != nil {
			return err
		}
		for len(bundle) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2:end]
			bundle = bundle[end:]
			leaves = append(leaves, tlog.RecordHash(entry))
			more, err := tlog.StoredHashes(int64(len(leaves)-1), entry, stored)
			if err != nil {
				return err
			}
			stored = append(stored, more...)
		}
	}
	root, err := tlog.TreeHash(int64(len(leaves)), stored)
	if err != nil {
		return err
	}
	if int64(len(leaves)) != tree.N || root != tree.Hash {
		return fmt.Errorf("entries do not lead to the checkpoint")
	}

	// Tiles of height 8, as the reference code cuts them.
	for _, tile := range tlog.NewTiles(8, 0, tree.N) {
		count := tree.N >> (8 * tile.L)
		if tile.W < 256 && tile.N*256+int64(tile.W) != count {
			continue // older releases list the partial tiles of every size on the way
		}
		want, err := tlog.ReadTileData(tile, stored)
		if err != nil {
			return err
		}
		have, err := os.ReadFile(filepath.Join(dir, "log", tilePath(strconv.Itoa(tile.L), tile.N, count)))
		if err != nil {
			return err
		}
		if !bytes.Equal(want, have) {
			return fmt.Errorf("tile %v differs", tile)
		}
	}

	receipts, err := filepath.Glob(filepath.Join(dir, "*.tlog-proof"))
	if err != nil {
		return err
	}
	for _, file := range receipts {
		if err := checkReceipt(file, verifier, leaves); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}

	text, err := os.ReadFile(filepath.Join(dir, "consistency"))
	if err != nil {
		return err
	}
	proofs := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range proofs {
		words := strings.Fields(line)
		older, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			return err
		}
		list, err := parseHashes(words[1:])
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(tlog.TreeProof(list[1:]), tree.N, tree.Hash, older, list[0]); err != nil {
			return fmt.Errorf("consistency from %d: %w", older, err)
		}
	}
	fmt.Printf("ok: %d entries, %d receipts, %d consistency proofs\n", tree.N, len(receipts), len(proofs))
	return nil
}

func open(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func checkReceipt(file string, verifier note.Verifier, leaves []tlog.Hash) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, signed, _ := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return fmt.Errorf("not a receipt")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	proof, err := parseHashes(lines[2:])
	if err != nil {
		return err
	}
	tree, err := open([]byte(signed), verifier)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(proof), tree.N, tree.Hash, index, leaves[index])
}

func parseHashes(words []string) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, word := range words {
		bytes, err := base64.StdEncoding.Strict().DecodeString(word)
		if err != nil || len(bytes) != tlog.HashSize {
			return nil, fmt.Errorf("%q is not a hash", word)
		}
		list = append(list, tlog.Hash(*(*[tlog.HashSize]byte)(bytes)))
	}
	return list, nil
}

// tilePath is the path of c2sp.org/tlog-tiles for tile n of a level with so many hashes; n is below 1000 here.
func tilePath(level string, n, hashes int64) string {
	path := fmt.Sprintf("tile/%s/%03d", level, n)
	if width := hashes - n*256; width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return path
}

// hashes are the hashes of the tree in the reference code's order, in memory.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		list[i] = h[index]
	}
	return list, nil
}
