//! What sentences of chest reports say of each finding, and on which side: written as radiologists and
//! MedGemma write, by the author of the rules. None may turn what is said into what is denied, or flip a side.

use medgemma_answers::{Finding, Polarity, Side, mentions};

use Finding::{
    Atelectasis, Calculus, Cardiomegaly, Consolidation, Emphysema, Fracture, Hemorrhage, Hernia,
    Lymphadenopathy, Mass, Nodule, Opacity, PericardialEffusion, PleuralEffusion,
    PleuralThickening, Pneumonia, Pneumothorax, PulmonaryEdema, PulmonaryEmbolism,
};
use Polarity::{Absent, Present, Uncertain};
use Side::{Both, Left, Right};

type Said = (Finding, Polarity, Option<Side>);

/// Holds each sentence against what it says; all that differ are told at once.
fn hold(sentences: &[(&str, &[Said])]) {
    let mut wrong = String::new();
    for (text, expected) in sentences {
        let found: Vec<Said> = mentions(text, 0..text.len())
            .into_iter()
            .map(|found| (found.finding, found.polarity, found.side))
            .collect();
        if found != *expected {
            wrong += &format!("{text:?}\n  found    {found:?}\n  expected {expected:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

const fn p(finding: Finding) -> Said {
    (finding, Present, None)
}

const fn a(finding: Finding) -> Said {
    (finding, Absent, None)
}

const fn u(finding: Finding) -> Said {
    (finding, Uncertain, None)
}

const fn at(finding: Finding, side: Side) -> Said {
    (finding, Present, Some(side))
}

#[test]
fn what_has_not_gone_is_not_denied() {
    hold(&[
        ("Pneumonia cannot be ruled out.", &[u(Pneumonia)]),
        ("Pneumonia cannot be completely excluded.", &[u(Pneumonia)]),
        ("Pneumonia can't be entirely ruled out.", &[u(Pneumonia)]),
        ("Pneumonia has not been excluded.", &[u(Pneumonia)]),
        (
            "Pulmonary embolism should be ruled out.",
            &[u(PulmonaryEmbolism)],
        ),
        (
            "Pulmonary embolism must be excluded.",
            &[u(PulmonaryEmbolism)],
        ),
        (
            "Pulmonary embolism is to be ruled out.",
            &[u(PulmonaryEmbolism)],
        ),
        (
            "Pulmonary embolism is not completely ruled out.",
            &[u(PulmonaryEmbolism)],
        ),
        (
            "Pulmonary embolism has been ruled out.",
            &[a(PulmonaryEmbolism)],
        ),
        (
            "Superimposed pneumonia would need to be excluded clinically.",
            &[u(Pneumonia)],
        ),
        ("This does not exclude pneumonia.", &[u(Pneumonia)]),
        (
            "The study cannot completely exclude pulmonary embolism.",
            &[u(PulmonaryEmbolism)],
        ),
        (
            "The left effusion has not resolved.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The left effusion hasn\u{2019}t resolved.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The left effusion has not yet completely resolved.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The left effusion has partially resolved.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The left effusion has resolved partially.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The left effusion has almost completely resolved.",
            &[(PleuralEffusion, Uncertain, Some(Left))],
        ),
        (
            "The left effusion may have resolved.",
            &[(PleuralEffusion, Uncertain, Some(Left))],
        ),
        (
            "The left effusion has completely resolved.",
            &[(PleuralEffusion, Absent, Some(Left))],
        ),
        (
            "Incomplete resolution of the left pneumothorax.",
            &[at(Pneumothorax, Left)],
        ),
        (
            "Interval partial clearing of the right lower lobe opacity.",
            &[at(Opacity, Right)],
        ),
        (
            "Near complete resolution of the right pneumothorax.",
            &[(Pneumothorax, Uncertain, Some(Right))],
        ),
        (
            "No resolution of the right pneumothorax.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "Interval resolution of the right pneumothorax.",
            &[(Pneumothorax, Absent, Some(Right))],
        ),
        (
            "Follow-up to document resolution of pneumonia.",
            &[u(Pneumonia)],
        ),
        (
            "Resolved left effusion, small right effusion.",
            &[
                (PleuralEffusion, Absent, Some(Left)),
                at(PleuralEffusion, Right),
            ],
        ),
        (
            "Opacity has not cleared, small effusion.",
            &[p(Opacity), p(PleuralEffusion)],
        ),
        ("The effusion is no longer large.", &[p(PleuralEffusion)]),
        ("The pneumothorax is no longer visible.", &[a(Pneumothorax)]),
        (
            "There is no longer any pulmonary edema.",
            &[a(PulmonaryEdema)],
        ),
        (
            "No significant interval change in the left effusion.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "No evidence of progression of the effusion.",
            &[p(PleuralEffusion)],
        ),
        ("A pneumothorax is not clearly seen.", &[u(Pneumothorax)]),
        ("The lungs are not clear of infiltrate.", &[u(Opacity)]),
    ]);
}

#[test]
fn a_denial_ends_where_something_else_is_said_to_be() {
    hold(&[
        (
            "No pneumothorax, small left pleural effusion.",
            &[a(Pneumothorax), at(PleuralEffusion, Left)],
        ),
        (
            "No pneumothorax and small left effusion.",
            &[a(Pneumothorax), at(PleuralEffusion, Left)],
        ),
        (
            "No pneumothorax \u{2014} stable cardiomegaly.",
            &[a(Pneumothorax), p(Cardiomegaly)],
        ),
        (
            "No pneumothorax with small effusion.",
            &[a(Pneumothorax), p(PleuralEffusion)],
        ),
        (
            "No acute abnormality, small effusion.",
            &[p(PleuralEffusion)],
        ),
        (
            "No effusion, possible pneumonia.",
            &[a(PleuralEffusion), u(Pneumonia)],
        ),
        (
            "No pneumothorax, left effusion.",
            &[a(Pneumothorax), (PleuralEffusion, Uncertain, Some(Left))],
        ),
        (
            "No pneumothorax, effusion is unchanged.",
            &[a(Pneumothorax), p(PleuralEffusion)],
        ),
        (
            "No effusion or pneumothorax, cardiomegaly.",
            &[a(PleuralEffusion), a(Pneumothorax), u(Cardiomegaly)],
        ),
        (
            "Small left effusion, pneumothorax not seen.",
            &[at(PleuralEffusion, Left), a(Pneumothorax)],
        ),
        (
            "Small left effusion, pneumonia cannot be excluded.",
            &[at(PleuralEffusion, Left), u(Pneumonia)],
        ),
        (
            "Small left effusion, costophrenic angle not seen.",
            &[(PleuralEffusion, Uncertain, Some(Left))],
        ),
        (
            "No consolidation suspicious for pneumonia.",
            &[a(Consolidation), a(Pneumonia)],
        ),
        (
            "No focal consolidation to suggest pneumonia.",
            &[a(Consolidation), a(Pneumonia)],
        ),
        (
            "Effusion, pneumothorax, and fracture are not seen.",
            &[a(PleuralEffusion), a(Pneumothorax), a(Fracture)],
        ),
        (
            "There is no pleural effusion, pneumothorax or focal consolidation.",
            &[a(PleuralEffusion), a(Pneumothorax), a(Consolidation)],
        ),
        (
            "No consolidation, effusion, or pneumothorax is seen.",
            &[a(Consolidation), a(PleuralEffusion), a(Pneumothorax)],
        ),
        (
            "No pneumothorax or pleural effusion.",
            &[a(Pneumothorax), a(PleuralEffusion)],
        ),
        ("No focal, patchy consolidation.", &[a(Consolidation)]),
        (
            "No effusion, left pneumothorax, or mass.",
            &[
                a(PleuralEffusion),
                (Pneumothorax, Absent, Some(Left)),
                a(Mass),
            ],
        ),
        ("Probably no effusion.", &[u(PleuralEffusion)]),
        (
            "No consolidation except at the left base.",
            &[(Consolidation, Uncertain, None)],
        ),
        (
            "The lungs are clear except for a left basilar opacity.",
            &[at(Opacity, Left)],
        ),
        (
            "Moderate right effusion with adjacent atelectasis, no pneumothorax.",
            &[at(PleuralEffusion, Right), p(Atelectasis), a(Pneumothorax)],
        ),
    ]);
}

#[test]
fn a_side_belongs_to_one_finding() {
    hold(&[
        (
            "Nodule in the right upper lobe and effusion on the left.",
            &[at(Nodule, Right), at(PleuralEffusion, Left)],
        ),
        (
            "Opacity at the left base, nodule on the right.",
            &[at(Opacity, Left), at(Nodule, Right)],
        ),
        (
            "Nodule in the right upper lobe, left pleural effusion.",
            &[at(Nodule, Right), at(PleuralEffusion, Left)],
        ),
        (
            "Opacity in the left lower lobe and right basilar atelectasis.",
            &[at(Opacity, Left), at(Atelectasis, Right)],
        ),
        (
            "Right PICC line, small left pneumothorax.",
            &[at(Pneumothorax, Left)],
        ),
        (
            "Right PICC line with small pneumothorax.",
            &[p(Pneumothorax)],
        ),
        (
            "The right lung is clear, small left effusion.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The left hemithorax shows a small effusion.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "On the left, a small effusion.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "Left and right pleural effusions.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "Pleural effusions, left greater than right.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "Right greater than left pleural effusions.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "Opacities in the right upper and left lower lobes.",
            &[at(Opacity, Both)],
        ),
        (
            "Left lower lobe and right upper lobe opacities.",
            &[at(Opacity, Both)],
        ),
        (
            "Opacity in the right lung and in the left lung.",
            &[at(Opacity, Both)],
        ),
        (
            "Nodule in the right lung and catheter on the left.",
            &[at(Nodule, Right)],
        ),
        (
            "Small bilateral effusions with left basilar atelectasis.",
            &[at(PleuralEffusion, Both), at(Atelectasis, Left)],
        ),
        (
            "Effusion on the left and atelectasis on the right.",
            &[at(PleuralEffusion, Left), at(Atelectasis, Right)],
        ),
        (
            "Pleural effusion: small left.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The pneumothorax is right-sided.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "Atelectasis in the setting of right effusion.",
            &[p(Atelectasis), at(PleuralEffusion, Right)],
        ),
        (
            "There is, in the left chest, a nodule.",
            &[at(Nodule, Left)],
        ),
        (
            "The right lung is free of consolidation.",
            &[(Consolidation, Absent, Some(Right))],
        ),
        (
            "The left side has no effusion.",
            &[(PleuralEffusion, Absent, Some(Left))],
        ),
        (
            "RUL nodule, LLL atelectasis.",
            &[at(Nodule, Right), at(Atelectasis, Left)],
        ),
        (
            "Left-sided pneumothorax, chest tube on the right.",
            &[at(Pneumothorax, Left)],
        ),
        (
            "Right upper lobe nodule, left lower lobe clear.",
            &[at(Nodule, Right)],
        ),
        (
            "Fracture of the left clavicle, right lung clear.",
            &[at(Fracture, Left)],
        ),
        (
            "Right rib fractures with small left apical pneumothorax.",
            &[at(Fracture, Right), at(Pneumothorax, Left)],
        ),
        (
            "Left effusion in the setting of right multifocal early patchy pneumonia.",
            &[at(PleuralEffusion, Left), at(Pneumonia, Right)],
        ),
    ]);
}

#[test]
fn lines_of_names_and_answers_are_read_one_by_one() {
    hold(&[
        ("Pneumothorax: No", &[a(Pneumothorax)]),
        (
            "Pneumothorax: None\nPleural effusion: Small left",
            &[a(Pneumothorax), at(PleuralEffusion, Left)],
        ),
        (
            "Pleural effusion: Small left\nPneumothorax: None",
            &[at(PleuralEffusion, Left), a(Pneumothorax)],
        ),
        (
            "No pneumothorax\nSmall left pleural effusion",
            &[a(Pneumothorax), at(PleuralEffusion, Left)],
        ),
        (
            "No acute findings\nSmall left pleural effusion",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "Pneumothorax: No, Pleural effusion: Yes",
            &[a(Pneumothorax), p(PleuralEffusion)],
        ),
        (
            "| Pneumothorax | No |\n| Pleural effusion | Right |",
            &[a(Pneumothorax), at(PleuralEffusion, Right)],
        ),
        (
            "- **Pneumothorax:** Absent\n- **Nodule:** Present",
            &[a(Pneumothorax), p(Nodule)],
        ),
        ("Pneumothorax \u{2013} none", &[a(Pneumothorax)]),
        (
            "Pleural effusion: No effusion.",
            &[a(PleuralEffusion), a(PleuralEffusion)],
        ),
        ("Pneumothorax: No change", &[p(Pneumothorax)]),
        ("Pneumothorax: Not assessed", &[u(Pneumothorax)]),
        ("Pneumonia: Possible", &[u(Pneumonia)]),
        (
            "Pneumothorax, effusion: None",
            &[a(Pneumothorax), a(PleuralEffusion)],
        ),
        (
            "No evidence of pneumothorax or\npleural effusion.",
            &[a(Pneumothorax), a(PleuralEffusion)],
        ),
        (
            "There is no focal consolidation,\nPneumothorax or effusion.",
            &[a(Consolidation), a(Pneumothorax), a(PleuralEffusion)],
        ),
    ]);
}

#[test]
fn doubt_is_not_taken_for_a_finding() {
    hold(&[
        (
            "Basilar opacity, atelectasis vs. pneumonia.",
            &[p(Opacity), u(Atelectasis), u(Pneumonia)],
        ),
        (
            "Basilar opacity, e.g. pneumonia, is possible.",
            &[p(Opacity), u(Pneumonia)],
        ),
        ("No nodule of approx. 5 mm or mass.", &[a(Nodule), a(Mass)]),
        (
            "Discussed with Dr. Hill, no pneumothorax.",
            &[a(Pneumothorax)],
        ),
        (
            "Atelectasis, less likely pneumonia.",
            &[u(Atelectasis), u(Pneumonia)],
        ),
        ("This may be pneumonia.", &[u(Pneumonia)]),
        ("Findings suggestive of pneumonia.", &[u(Pneumonia)]),
        ("Pneumonia is not likely.", &[u(Pneumonia)]),
        (
            "Findings consistent with pulmonary edema.",
            &[p(PulmonaryEdema)],
        ),
        ("No mass effect.", &[]),
        (
            "No mass effect, small left effusion.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "Normal heart size, enlarged thyroid gland.",
            &[a(Cardiomegaly)],
        ),
        ("Heart size is no longer enlarged.", &[a(Cardiomegaly)]),
        ("The heart may be enlarged.", &[u(Cardiomegaly)]),
        (
            "The cardiac silhouette remains mildly enlarged.",
            &[p(Cardiomegaly)],
        ),
        (
            "Heart size and mediastinal contours are within normal limits.",
            &[a(Cardiomegaly)],
        ),
        (
            "Heart size is difficult to assess, mediastinum normal.",
            &[],
        ),
        (
            "The cardiomediastinal silhouette is unremarkable.",
            &[a(Cardiomegaly)],
        ),
        (
            "Probable atelectasis rather than pneumonia.",
            &[u(Atelectasis), u(Pneumonia)],
        ),
        (
            "Emphysema with a hiatal hernia and enlarged nodes, no lymphadenopathy.",
            &[p(Emphysema), p(Hernia), a(Lymphadenopathy)],
        ),
        (
            "Right lower lobe consolidation, concerning for pneumonia, with a small parapneumonic effusion.",
            &[at(Consolidation, Right), u(Pneumonia), p(PleuralEffusion)],
        ),
        (
            "Small left pleural effusion has nearly resolved.",
            &[(PleuralEffusion, Uncertain, Some(Left))],
        ),
    ]);
}

/// Each of two effusions that share their noun is one.
#[test]
fn two_effusions_with_one_noun_are_two() {
    hold(&[
        (
            "Small pleural and pericardial effusions.",
            &[p(PleuralEffusion), p(PericardialEffusion)],
        ),
        (
            "No pleural or pericardial effusion.",
            &[a(PleuralEffusion), a(PericardialEffusion)],
        ),
        (
            "No pericardial or pleural effusion is seen.",
            &[a(PericardialEffusion), a(PleuralEffusion)],
        ),
        (
            "Neither pleural nor pericardial effusion.",
            &[a(PleuralEffusion), a(PericardialEffusion)],
        ),
        (
            "Left pleural and pericardial effusions.",
            &[at(PleuralEffusion, Left), p(PericardialEffusion)],
        ),
        (
            "Possible pleural and pericardial effusions, no pneumothorax.",
            &[u(PleuralEffusion), u(PericardialEffusion), a(Pneumothorax)],
        ),
        (
            "Pleural thickening and pericardial effusion.",
            &[p(PleuralThickening), p(PericardialEffusion)],
        ),
    ]);
}

#[test]
fn what_is_denied_or_excluded_is_absent() {
    hold(&[
        (
            "There is no evidence of acute fracture or pneumothorax.",
            &[a(Fracture), a(Pneumothorax)],
        ),
        ("Pneumonia has been definitively excluded.", &[a(Pneumonia)]),
        (
            "Neither effusion nor pneumothorax is seen.",
            &[a(PleuralEffusion), a(Pneumothorax)],
        ),
        (
            "No pulmonary edema, pneumothorax, or large pleural effusion.",
            &[a(PulmonaryEdema), a(Pneumothorax), a(PleuralEffusion)],
        ),
    ]);
}

/// Behind a colon or a dash a word of denial may speak of another thing.
#[test]
fn an_answer_denies_only_where_it_says_no_more() {
    hold(&[
        (
            "Large right pneumothorax \u{2014} no mediastinal shift.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "Right pneumothorax: no mediastinal shift.",
            &[at(Pneumothorax, Right)],
        ),
        ("Subdural hemorrhage - no mass effect.", &[p(Hemorrhage)]),
        (
            "Acute pulmonary embolism - no right heart strain.",
            &[p(PulmonaryEmbolism)],
        ),
        (
            "Pulmonary embolism: no right heart strain.",
            &[p(PulmonaryEmbolism)],
        ),
        (
            "Left hip fracture \u{2013} no dislocation.",
            &[at(Fracture, Left)],
        ),
        (
            "Lung nodule, 4 mm \u{2013} no follow-up needed per Fleischner.",
            &[p(Nodule)],
        ),
        ("Nodule: no growth since 2019.", &[p(Nodule)]),
        (
            "Pneumothorax: no tension, small left apical.",
            &[p(Pneumothorax)],
        ),
        (
            "- **Nodule:** No growth of the 8 mm right upper lobe nodule.",
            &[at(Nodule, Right), p(Nodule)],
        ),
        (
            "Right pneumothorax: not under tension.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "Large left upper lobe mass - likely malignancy.",
            &[at(Mass, Left)],
        ),
        ("Pneumothorax: None seen.", &[a(Pneumothorax)]),
        (
            "Pneumothorax: No evidence of pneumothorax.",
            &[a(Pneumothorax), a(Pneumothorax)],
        ),
        (
            "Pneumothorax: None, lungs are clear of edema.",
            &[a(Pneumothorax)],
        ),
        (
            "Effusion: no pneumothorax.",
            &[u(PleuralEffusion), a(Pneumothorax)],
        ),
    ]);
}

#[test]
fn two_sides_of_one_finding_are_both() {
    hold(&[
        (
            "Small right and moderate left pleural effusions.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "Trace left and small right effusions.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "Effusions, moderate on the right and small on the left.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "Pleural effusions: moderate on the right, small on the left.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "Right apical and small left basal pneumothorax.",
            &[at(Pneumothorax, Both)],
        ),
        (
            "Fracture of the right fifth rib and left seventh rib.",
            &[at(Fracture, Both)],
        ),
        (
            "Effusion on the right and small left pneumothorax.",
            &[at(PleuralEffusion, Right), at(Pneumothorax, Left)],
        ),
        ("Right previously seen left nodule.", &[p(Nodule)]),
    ]);
}

#[test]
fn what_is_large_or_new_or_has_changed_is_there() {
    hold(&[
        (
            "No pneumothorax, large left pleural effusion.",
            &[a(Pneumothorax), at(PleuralEffusion, Left)],
        ),
        (
            "No mediastinal shift, large right pneumothorax.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "No pneumothorax, new left pleural effusion.",
            &[a(Pneumothorax), at(PleuralEffusion, Left)],
        ),
        (
            "No pneumothorax, dense consolidation in the right lower lobe.",
            &[a(Pneumothorax), at(Consolidation, Right)],
        ),
        (
            "No acute cardiopulmonary process, cardiomegaly unchanged.",
            &[p(Cardiomegaly)],
        ),
        (
            "No pneumothorax and pulmonary edema has worsened.",
            &[a(Pneumothorax), p(PulmonaryEdema)],
        ),
        (
            "Lungs: No consolidation Pleura: Large left effusion",
            &[a(Consolidation), at(PleuralEffusion, Left)],
        ),
        (
            "No pneumothorax, large pleural effusion, or edema.",
            &[a(Pneumothorax), a(PleuralEffusion)],
        ),
        (
            "New left effusion, not present previously.",
            &[at(PleuralEffusion, Left)],
        ),
        ("There is a new nodule not seen on prior.", &[p(Nodule)]),
        (
            "Right apical pneumothorax, not seen on the previous study.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "Large effusion and pneumonia ruled out.",
            &[u(PleuralEffusion), a(Pneumonia)],
        ),
        (
            "Persistent left retrocardiac opacity, unchanged.",
            &[at(Opacity, Left)],
        ),
        (
            "The right pneumothorax has not increased in size.",
            &[at(Pneumothorax, Right)],
        ),
    ]);
}

#[test]
fn a_doubt_of_something_else_ends_before_a_finding() {
    hold(&[
        (
            "As can be seen, large left pneumothorax.",
            &[at(Pneumothorax, Left)],
        ),
        (
            "The patient may be rotated, large left effusion.",
            &[at(PleuralEffusion, Left)],
        ),
        (
            "The tube could be advanced, large right pneumothorax.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "The ET tube may be withdrawn 2 cm and there is a pneumothorax.",
            &[p(Pneumothorax)],
        ),
        (
            "Suggest CT of the large left upper lobe mass.",
            &[at(Mass, Left)],
        ),
        (
            "Findings suggest heart failure with large bilateral effusions.",
            &[at(PleuralEffusion, Both)],
        ),
        (
            "There may be small, bilateral effusions.",
            &[(PleuralEffusion, Uncertain, Some(Both))],
        ),
        ("Suggest CT of the chest for pneumonia.", &[u(Pneumonia)]),
    ]);
}

#[test]
fn an_enlarged_heart_is_found_whatever_follows() {
    hold(&[
        (
            "The heart is enlarged with pulmonary vascular congestion.",
            &[p(PulmonaryEdema), p(Cardiomegaly)],
        ),
        (
            "The heart is enlarged compared to the prior study.",
            &[p(Cardiomegaly)],
        ),
        (
            "The cardiac silhouette is enlarged with pulmonary edema",
            &[p(PulmonaryEdema), p(Cardiomegaly)],
        ),
        (
            "The heart is enlarged for the patient's age.",
            &[p(Cardiomegaly)],
        ),
        (
            "Heart size is mildly to moderately enlarged.",
            &[p(Cardiomegaly)],
        ),
    ]);
}

#[test]
fn how_a_study_was_made_denies_nothing() {
    hold(&[
        (
            "CT without contrast shows a 4 mm calculus in the left kidney.",
            &[at(Calculus, Left)],
        ),
        (
            "The study performed without sedation demonstrates a mass.",
            &[p(Mass)],
        ),
        (
            "Lack of intravenous contrast limits evaluation for pulmonary embolism.",
            &[u(PulmonaryEmbolism)],
        ),
        (
            "Absence of breathing instruction limits assessment of the nodule.",
            &[u(Nodule)],
        ),
        (
            "No difference in the size of the right pneumothorax.",
            &[at(Pneumothorax, Right)],
        ),
        (
            "No significant reduction in the right pneumothorax.",
            &[at(Pneumothorax, Right)],
        ),
        ("No regression of the nodule.", &[p(Nodule)]),
        // As before.
        (
            "The chest film shows an opacity without effusion.",
            &[p(Opacity), a(PleuralEffusion)],
        ),
        ("Absence of pneumothorax.", &[a(Pneumothorax)]),
    ]);
}
