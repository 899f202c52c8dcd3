//! What was said in a conversation, by position.

use medgemma_gemma3::Segment;

/// Stands for the rows of an image among ids: no vocabulary has it, so that it is neither penalised nor guessed.
const NO_TOKEN: u32 = u32::MAX;

/// The ids of these segments, [`NO_TOKEN`] for each image.
pub(crate) fn ids(segments: &[Segment]) -> Vec<u32> {
    let ids = segments.iter().map(|segment| match segment {
        Segment::Tokens(ids) => ids.as_slice(),
        _ => &[NO_TOKEN],
    });
    ids.flatten().copied().collect()
}

/// Images among what [`ids`] gave.
pub(crate) fn images(ids: &[u32]) -> usize {
    ids.iter().filter(|&&id| id == NO_TOKEN).count()
}

#[cfg(test)]
mod tests {
    use medgemma_gemma3::Segment;
    use medgemma_tensor::{Device, tensor_from};

    use super::{NO_TOKEN, ids, images};

    #[test]
    fn images_are_no_token_among_ids() {
        let device = Device::cpu().expect("the feature cpu is on");
        let image = Segment::Embeddings(tensor_from(vec![0.0; 8], [4, 2], &device));
        let said = [
            Segment::Tokens(vec![2, 5, 7]),
            image,
            Segment::Tokens(vec![7, 9]),
        ];
        assert_eq!(ids(&said), [2, 5, 7, NO_TOKEN, 7, 9]);
        assert_eq!(images(&ids(&said)), 1);
    }
}
