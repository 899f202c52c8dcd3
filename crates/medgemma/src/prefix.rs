//! What several conversations have in common, read once: keys and values of prompts, and soft
//! tokens of images, kept for the conversations that begin alike.
//!
//! Nothing is matched by a digest alone: ids and pixels are compared one by one. A local layer of
//! the decoder gives up old keys, so a long prompt can be taken back only by some tokens; where two
//! prompts turn out to part before that, the next one stops reading there and keeps what they
//! share, and the third starts from it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use medgemma_gemma3::KvCache;
use medgemma_image::Pixels;

use crate::model::SoftTokens;

/// Tokens that are worth sharing: every prompt begins with a few that are the template's.
pub(crate) const LEAST_SHARED: usize = 32;

/// An image with what the vision tower made of it.
pub(crate) struct Picture {
    pixels: Pixels,
    pub(crate) soft: SoftTokens,
}

impl Picture {
    fn bytes(&self) -> usize {
        let soft: usize = self.soft.dims().iter().product();
        (self.pixels.data.len() + soft) * size_of::<f32>()
    }
}

/// How a conversation begins.
pub(crate) struct Start {
    /// The longest common prefix that was found, read.
    pub(crate) cache: Option<KvCache>,
    /// Where to keep what was read on the way: another prompt goes on differently from there.
    pub(crate) boundary: Option<usize>,
}

/// Prompts and images that were read lately, up to a number of bytes. Shared by all clones of a
/// model.
pub(crate) struct PrefixCache {
    limit: usize,
    /// Stands for an image in the ids; `u32::MAX` where there are none.
    soft_token: u32,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Counts uses; an entry's last one says how long ago it was.
    uses: u64,
    pictures: Vec<(u64, Arc<Picture>)>,
    prefixes: Vec<Prefix>,
}

/// A prompt, or the beginning of one.
struct Prefix {
    ids: Vec<u32>,
    /// Those of its soft tokens, in order.
    pictures: Vec<Arc<Picture>>,
    /// Has read exactly `ids`.
    cache: KvCache,
    /// Of ids and cache. Nothing is read into a kept one, so that it is counted once.
    bytes: usize,
    used: u64,
}

impl PrefixCache {
    pub(crate) fn new(limit: usize, soft_token: Option<u32>) -> Self {
        Self {
            limit,
            soft_token: soft_token.unwrap_or(u32::MAX),
            kept: Mutex::default(),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    /// The image of exactly these pixels, if it was encoded lately.
    pub(crate) fn picture(&self, pixels: &Pixels) -> Option<Arc<Picture>> {
        self.lock().picture(pixels)
    }

    /// Keeps an image that was encoded; the same image, if another thread was first.
    pub(crate) fn keep_picture(&self, pixels: Pixels, soft: SoftTokens) -> Arc<Picture> {
        // Looked for and added under one lock: prefixes are found by the one that is kept.
        let mut kept = self.lock();
        if let Some(known) = kept.picture(&pixels) {
            return known;
        }
        let picture = Arc::new(Picture { pixels, soft });
        if picture.bytes() <= self.limit {
            let uses = kept.tick();
            kept.pictures.push((uses, picture.clone()));
            kept.shrink(self.limit);
        }
        picture
    }

    /// Whether any image is kept, so that looking for one is worth its pixels.
    pub(crate) fn has_pictures(&self) -> bool {
        !self.lock().pictures.is_empty()
    }

    /// What is known of the beginning of a prompt whose images are known as these `pictures`; the last
    /// token is always left to be read.
    pub(crate) fn start(&self, ids: &[u32], pictures: &[Option<Arc<Picture>>]) -> Start {
        let known = |index: usize, picture: &Arc<Picture>| {
            pictures
                .get(index)
                .and_then(Option::as_ref)
                .is_some_and(|known| Arc::ptr_eq(known, picture))
        };
        let ids = ids.split_last().map_or(ids, |(_, rest)| rest);
        let mut kept = self.lock();
        let uses = kept.tick();
        let (mut read, mut shared) = (LEAST_SHARED - 1, 0);
        let mut found: Option<(&mut Prefix, KvCache)> = None;
        for prefix in &mut kept.prefixes {
            let common = self.common(ids, prefix, &known);
            shared = shared.max(common);
            // What is cut from a small one holds less until it is written to.
            let smaller = found
                .as_ref()
                .is_some_and(|(best, _)| prefix.bytes < best.bytes);
            if common > read || (common == read && smaller) {
                let mut copy = prefix.cache.clone();
                if copy.truncate(common) {
                    (read, found) = (common, Some((prefix, copy)));
                }
            }
        }
        let cache = found.map(|(prefix, cache)| {
            prefix.used = uses;
            cache
        });
        Start {
            cache,
            boundary: (shared > read).then_some(shared),
        }
    }

    /// Keeps what was read of a prompt, `cache.len()` positions of `ids`.
    pub(crate) fn keep(&self, ids: &[u32], pictures: &[Arc<Picture>], cache: KvCache) {
        let ids = ids[..cache.len()].to_vec();
        let images = runs(&ids, self.soft_token).filter(|run| run[0] == self.soft_token);
        let soft: usize = images.map(<[u32]>::len).sum();
        let each = pictures.first().map_or(1, |p| p.soft.dims()[0]);
        let mut kept = self.lock();
        // Another of the same pixels may have been kept since these were made.
        let pictures: Vec<Arc<Picture>> = pictures[..soft / each]
            .iter()
            .map(|picture| {
                kept.picture(&picture.pixels)
                    .unwrap_or_else(|| picture.clone())
            })
            .collect();
        let used = kept.tick();
        let new = Prefix {
            bytes: cache.bytes() + ids.len() * size_of::<u32>(),
            ids,
            pictures,
            cache,
            used,
        };
        let pictures = new.pictures.iter().map(|picture| picture.bytes());
        if new.bytes + pictures.sum::<usize>() > self.limit {
            return;
        }
        // What the new one can be cut down to, the old ones need not hold too.
        kept.prefixes.retain(|old| {
            let known = |index: usize, picture: &Arc<Picture>| {
                old.pictures
                    .get(index)
                    .is_some_and(|known| Arc::ptr_eq(known, picture))
            };
            let covered = old.ids.len() <= new.ids.len()
                && self.common(&old.ids, &new, &known) == old.ids.len();
            !(covered && new.cache.clone().truncate(old.ids.len()))
        });
        for picture in &new.pictures {
            // It may have made room for others since it was encoded.
            if !kept
                .pictures
                .iter()
                .any(|(_, own)| Arc::ptr_eq(own, picture))
            {
                kept.pictures.push((used, picture.clone()));
            }
        }
        kept.prefixes.push(new);
        kept.shrink(self.limit);
    }

    /// Leading positions that `ids` and a prefix share; images count whole, and only where the
    /// prompt's are those of the prefix, which `known` tells by index.
    fn common(
        &self,
        ids: &[u32],
        prefix: &Prefix,
        known: &dyn Fn(usize, &Arc<Picture>) -> bool,
    ) -> usize {
        let each = prefix.pictures.first().map_or(1, |p| p.soft.dims()[0]);
        common([ids, &prefix.ids], (self.soft_token, each), &|index| {
            let picture = prefix.pictures.get(index);
            picture.is_some_and(|picture| known(index, picture))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // What a thread that panicked left behind is whole: entries are pushed and removed at once.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leading positions that two prompts share. `soft`: the id of soft tokens, and how many stand for an image; images count
/// whole, and only where `same` says of their index, crops counted, that both show the same.
pub(crate) fn common(
    [a, b]: [&[u32]; 2],
    (soft_token, each): (u32, usize),
    same: &dyn Fn(usize) -> bool,
) -> usize {
    let (mut common, mut image) = (0, 0);
    for (a, b) in runs(a, soft_token).zip(runs(b, soft_token)) {
        let equal = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let whole = equal == a.len() && equal == b.len();
        if a[0] == soft_token {
            let mut images = image..image + equal / each;
            image = images.end;
            if !(whole && images.all(same)) {
                break;
            }
        }
        common += equal;
        if !whole {
            break;
        }
    }
    common
}

/// Cuts ids where soft tokens begin and end.
fn runs(ids: &[u32], soft_token: u32) -> impl Iterator<Item = &[u32]> {
    ids.chunk_by(move |a, b| (*a == soft_token) == (*b == soft_token))
}

impl Prefix {
    fn shows(&self, picture: &Arc<Picture>) -> bool {
        self.pictures.iter().any(|own| Arc::ptr_eq(own, picture))
    }
}

impl Kept {
    /// The image of exactly these pixels, which counts as used.
    fn picture(&mut self, pixels: &Pixels) -> Option<Arc<Picture>> {
        let uses = self.tick();
        let found = self
            .pictures
            .iter_mut()
            .find(|(_, picture)| picture.pixels == *pixels)?;
        found.0 = uses;
        Some(found.1.clone())
    }

    fn tick(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    fn bytes(&self) -> usize {
        let pictures: usize = self.pictures.iter().map(|(_, p)| p.bytes()).sum();
        pictures
            + self
                .prefixes
                .iter()
                .map(|prefix| prefix.bytes)
                .sum::<usize>()
    }

    /// Drops what was not used for longest until the rest fits. An image stays as long as a prefix
    /// shows it: the prefix is found by it.
    fn shrink(&mut self, limit: usize) {
        while self.bytes() > limit {
            let prefixes = self.prefixes.iter().map(|prefix| prefix.used);
            let prefix = prefixes.enumerate().min_by_key(|&(_, used)| used);
            let shown = |p: &Arc<Picture>| self.prefixes.iter().any(|prefix| prefix.shows(p));
            let pictures = self.pictures.iter().enumerate();
            let picture = pictures
                .filter(|(_, (_, picture))| !shown(picture))
                .map(|(index, &(used, _))| (index, used))
                .min_by_key(|&(_, used)| used);
            match (prefix, picture) {
                (Some((_, prefix)), Some((index, picture))) if picture < prefix => {
                    self.pictures.remove(index);
                }
                (Some((index, _)), _) => {
                    self.prefixes.remove(index);
                }
                (None, Some((index, _))) => {
                    self.pictures.remove(index);
                }
                (None, None) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests;
